"""`ettrack demo`: render a short clip, track it, show the result."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Output folder, weights, clip."""
    parser.add_argument("--output", default="output", help="folder for demo.mp4 and demo.png")
    parser.add_argument("--checkpoint", help="weight file (default: the package's own)")
    parser.add_argument("--parameter", help="parameter file (default: the one for the weights)")
    parser.add_argument("--engine", default="auto", help="auto, torch, onnx, openvino")
    parser.add_argument("--precision", default="auto", help="auto, f32, bf16, int8")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--frames", type=int, default=150, help="length of the clip (150)")
    parser.add_argument("--seed", type=int, default=0, help="another number, another clip")


def run(args: argparse.Namespace) -> int:
    """Track the clip and print mean IoU and fps."""
    from tqdm import tqdm

    from ..live.demo import run_demo
    from ..live.run import LiveOptions, make_tracker

    options = LiveOptions(
        source="",
        parameter=args.parameter,
        checkpoint=args.checkpoint,
        engine=args.engine,
        precision=args.precision,
        threads=args.threads,
    )
    tracker = make_tracker(options)
    with tqdm(total=args.frames, unit="frame", file=sys.stderr, leave=False) as bar:
        result = run_demo(tracker, args.output, args.frames, args.seed, bar.update)
    print(f"mean IoU {result.mean_iou:.3f} over {len(result.ious)} frames after the first")
    print(f"{result.fps:.1f} fps (tracker alone, on this machine)")
    print(f"video: {result.video}\npictures: {result.sheet}")
    return 0
