"""Arguments that `webcam` and `video` share (names as in pytracking's scripts)."""

from __future__ import annotations

import argparse
from typing import Any

from . import parse_boolean


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Tracker, output, results, Visdom."""
    parser.add_argument(
        "--optional_box",
        type=float,
        nargs=4,
        action="append",
        metavar=("X", "Y", "W", "H"),
        help="target on the first frame, in pixels; may be given several times",
    )
    parser.add_argument("--output", help="write an annotated video (.mp4, .webm, .avi, .mkv)")
    _flag(parser, "--save_results", False, "write pytracking's box files and a CSV table")
    parser.add_argument("--results", help="results folder (default: the setting results_path)")
    parser.add_argument("--checkpoint", help="weight file (.safetensors, .npz, .pth)")
    parser.add_argument("--engine", default="auto", help="auto, torch, onnx, openvino")
    parser.add_argument("--precision", default="auto", help="auto, f32, bf16, int8")
    parser.add_argument("--threads", type=int, help="CPU threads")
    _flag(parser, "--window", True, "OpenCV window, where there is a display")
    _flag(parser, "--redetect", False, "search the whole frame for a target that was lost")
    parser.add_argument(
        "--low_score",
        type=float,
        help="below it a box is grey: hidden or gone (default: the parameter file's, or 0.55)",
    )
    parser.add_argument(
        "--debug",
        type=int,
        nargs="?",
        const=1,
        default=0,
        help="level of Visdom panels: 1 tracking and status, 2 score map, 3 score curve",
    )
    _flag(parser, "--use_visdom", True, "Visdom panels (with --debug 1 or more)")
    parser.add_argument("--visdom_server", default="127.0.0.1", help="address of the server")
    parser.add_argument("--visdom_port", type=int, default=8097, help="its port")
    _flag(parser, "--visdom_start", False, "start a local Visdom server; works offline")


def add_tracker_arguments(parser: argparse.ArgumentParser) -> None:
    """The two positional arguments of all pytracking scripts, here optional."""
    parser.add_argument("tracker_name", nargs="?", default="et_tracker", help="et_tracker")
    parser.add_argument(
        "tracker_param", nargs="?", help="parameter file (default: the one for the weights)"
    )


def live_options(args: argparse.Namespace, source: str) -> Any:
    """`live.run.LiveOptions` from parsed arguments."""
    from ..live.run import LiveOptions

    return LiveOptions(
        source=source,
        tracker=args.tracker_name,
        parameter=args.tracker_param,
        checkpoint=args.checkpoint,
        engine=args.engine,
        precision=args.precision,
        threads=args.threads,
        boxes=args.optional_box or (),
        output=args.output,
        save_results=args.save_results,
        results=args.results,
        debug=args.debug,
        use_visdom=args.use_visdom,
        visdom_server=args.visdom_server,
        visdom_port=args.visdom_port,
        visdom_start=args.visdom_start,
        window=args.window,
        redetect=args.redetect,
        low_score=args.low_score,
    )


def _flag(parser: argparse.ArgumentParser, name: str, default: bool, text: str) -> None:
    """`--name`, `--name true`, `--name false`; pytracking writes some of them without a value."""
    parser.add_argument(
        name,
        type=parse_boolean,
        nargs="?",
        const=True,
        default=default,
        metavar="BOOL",
        help=f"{text} (default: {str(default).lower()})",
    )
