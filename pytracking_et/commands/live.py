"""`ettrack demo`, `video`, `webcam` and `serve` (run_video.py, run_webcam.py): track and show."""

from __future__ import annotations

import argparse
import copy
from contextlib import ExitStack
from dataclasses import fields
from typing import Any

from ..errors import ParameterError, pip_line
from .arguments import (
    add_box_argument,
    add_results_argument,
    add_switch,
    add_tracker_arguments,
    add_visdom_arguments,
    parse_boolean,
    path_text,
    tracker_spec,
)


def demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Output folder, weights, clip."""
    add = parser.add_argument
    add("--output", type=path_text, default="output", help="folder for demo.mp4 and demo.png")
    add_tracker_arguments(parser, parameter=True)
    add("--frames", type=int, default=150, help="length of the clip (150)")
    add("--seed", type=int, default=0, help="another number, another clip")


def demo(args: argparse.Namespace) -> int:
    """Track the clip and print mean IoU and fps."""
    from ..live.demo import run_demo
    from ..live.run import frame_bar, make_tracker
    from ..videos import only_for_players

    tracker = make_tracker(tracker_spec(args))
    with ExitStack() as stack:
        bar = frame_bar(args.frames, stack, leave=False)
        step = None if bar is None else bar.update
        result = run_demo(tracker, args.output, args.frames, args.seed, step)
    print(f"mean IoU {result.mean_iou:.3f} over {len(result.ious)} frames after the first")
    print(f"{result.fps:.1f} fps (tracker alone, on this machine)")
    print(f"video: {result.video}\npictures: {result.sheet}")
    for hint in (only_for_players(result.video), _faster()):
        if hint is not None:
            print(hint)
    return 0


def _faster() -> str | None:
    """A line that names the extra to add where PyTorch is the only engine, else None."""
    from ..engines.select import ENGINES, installed

    if any(installed(name) for name in ENGINES if name != "torch"):
        return None
    return f"faster: the extra openvino about doubles the speed: {pip_line('openvino')}"


def video_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of run_video.py: `videofile`, or pytracking's `tracker param videofile`."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="[TRACKER PARAM] VIDEOFILE",
        help="video file, image folder or pattern, or URL; tracker and parameter file before it "
        "are optional (default: et_tracker, and the parameter file for the weights)",
    )
    _add_live_arguments(parser)


def video(args: argparse.Namespace) -> int:
    """Track to the end of the video."""
    from ..live.run import run_live

    if len(args.names) not in (1, 3):
        raise ParameterError(
            f"{len(args.names)} names given ({' '.join(args.names[:5])}); give VIDEOFILE, or "
            "TRACKER PARAM VIDEOFILE, and a pattern of images in quotes"
        )
    *tracker, video = args.names
    args.tracker_name, args.tracker_param = tracker or ("et_tracker", None)
    return run_live(live_options(args, video))


def webcam_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of run_webcam.py; none is needed."""
    add = parser.add_argument
    add("tracker_name", nargs="?", default="et_tracker", help="et_tracker")
    add("tracker_param", nargs="?", help="parameter file (default: the one for the weights)")
    add(
        "--source",
        default="0",
        help="camera index, device path, video file, image folder or pattern, rtsp:// or http://",
    )
    _add_live_arguments(parser)


def webcam(args: argparse.Namespace) -> int:
    """Track until the source ends or `q`."""
    from ..live.run import run_live

    return run_live(live_options(args, args.source))


def _add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that `video` and `webcam` share."""
    add = parser.add_argument
    add_box_argument(
        parser, "target on the first frame, in pixels; may be given several times", several=True
    )
    add(
        "--starts",
        type=path_text,
        metavar="FILE",
        help="instead: first boxes of targets, on any frame, from MOT challenge text or CVAT XML",
    )
    add("--output", type=path_text, help="write an annotated video (.mp4, .webm, .avi, .mkv)")
    add_switch(parser, "--overlay", False, "write fps and delay into that video too")
    add(
        "--emit",
        metavar="TO",
        help="boxes as they come, a line each: jsonl or csv (standard output), or udp://HOST:PORT",
    )
    add(
        "--export",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help="write the tracks as mot, coco, yolo or cvat; may be given several times",
    )
    add_switch(parser, "--save_results", False, "write pytracking's box files and a CSV table")
    add_results_argument(parser)
    add_tracker_arguments(parser)
    add_switch(parser, "--window", True, "OpenCV window, where there is a display")
    add(
        "--redetect",
        type=parse_boolean,
        nargs="?",
        const=True,
        metavar="BOOL",
        help="search the whole frame for a target that was lost (default: where the tracker can)",
    )
    _add_low_score(parser)
    add_visdom_arguments(parser)


def _add_low_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--low-score",
        type=float,
        help="below it a box is grey: hidden or gone (default: the parameter file's, or 0.55)",
    )


def live_options(args: argparse.Namespace, source: str) -> Any:
    """`live.run.LiveOptions` from parsed arguments.

    Raises:
        ParameterError: options that say how to write what nobody asked to be written.
    """
    from ..live.run import LiveOptions

    if args.results and not args.save_results:
        raise ParameterError(
            f"--results {args.results} is where --save_results writes: add --save_results"
        )
    if args.overlay and not args.output:
        raise ParameterError("--overlay is of the video that --output writes: add --output FILE")
    given = {**vars(args), "source": source, "spec": tracker_spec(args), "boxes": args.box or ()}
    return LiveOptions(**{field.name: given[field.name] for field in fields(LiveOptions)})


def serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack serve`."""
    add = parser.add_argument
    add("--port", type=int, default=8000, help="default 8000; 0 takes any free one")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; other machines reach one that is not 127.0.0.1 (0.0.0.0: all) "
        "with the token of the link that is printed (default 127.0.0.1)",
    )
    add_tracker_arguments(parser, parameter=True)
    _add_low_score(parser)
    add(
        "--max-upload-mb",
        type=int,
        default=512,
        metavar="MB",
        help="largest video that is taken, and largest camera recording (default 512)",
    )
    add("--open", action="store_true", help="open the page in the system's web browser")


def serve(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if args.max_upload_mb < 1:
        raise ParameterError(f"--max-upload-mb {args.max_upload_mb}: give at least 1")
    from ..live.run import low_score, make_tracker
    from ..live.web import (  # first: a missing extra is told before weights load
        Limits,
        qr_code,
        serve,
    )

    spec = tracker_spec(args)
    # Loaded once, before the port opens, so that a wrong checkpoint is told here; each session
    # gets a copy, which shares the weights.
    prototype = make_tracker(spec)

    def announce(address: str) -> None:
        print(f"{spec.parameter} is at {address}  (Ctrl-C stops)", flush=True)
        if "token=" in address:
            print(qr_code(address), flush=True)
        if args.open:
            import webbrowser

            webbrowser.open(address)

    serve(
        lambda: copy.deepcopy(prototype),
        spec.parameter,
        args.port,
        Limits(upload_bytes=args.max_upload_mb << 20),
        announce,
        low_score(spec, args.low_score),
        args.host,
    )
    return 0
