"""`ettrack video`: track in a video file or image folder."""

from __future__ import annotations

import argparse

from .arguments import add_live_arguments, live_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of run_video.py: `videofile`, or pytracking's `tracker param videofile`."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="[TRACKER PARAM] VIDEOFILE",
        help="video file, image folder or pattern, or URL; tracker and parameter file before it "
        "are optional (default: et_tracker, and the parameter file for the weights)",
    )
    add_live_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Track to the end of the video."""
    from ..errors import ParameterError
    from ..live.run import run_live

    if len(args.names) not in (1, 3):
        raise ParameterError(
            f"{len(args.names)} names given ({' '.join(args.names)}); give VIDEOFILE, or "
            "TRACKER PARAM VIDEOFILE"
        )
    *tracker, video = args.names
    args.tracker_name, args.tracker_param = tracker or ("et_tracker", None)
    return run_live(live_options(args, video))
