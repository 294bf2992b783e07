"""`ettrack webcam`: live from a camera or stream."""

from __future__ import annotations

import argparse

from .arguments import add_live_arguments, add_tracker_arguments, live_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of run_webcam.py; none is needed."""
    add_tracker_arguments(parser)
    parser.add_argument(
        "--source",
        default="0",
        help="camera index, device path, video file, image folder or pattern, rtsp:// or http://",
    )
    add_live_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Track until the source ends or `q`."""
    from ..live.run import run_live

    return run_live(live_options(args, args.source))
