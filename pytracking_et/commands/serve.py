"""`ettrack serve`: the web page on localhost."""

from __future__ import annotations

import argparse
import copy

from ..errors import ParameterError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack serve`."""
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default 8000)")
    parser.add_argument("--parameter", default="et_tracker", help="parameter file of the tracker")
    parser.add_argument("--checkpoint", help="weights; found by themselves if not given")
    parser.add_argument(
        "--engine", default="auto", help="auto, torch, onnx or openvino (default auto)"
    )
    parser.add_argument(
        "--max-upload-mb",
        type=int,
        default=512,
        metavar="MB",
        help="largest video that is taken, and largest camera recording (default 512)",
    )
    parser.add_argument(
        "--open", action="store_true", help="open the page in the system's web browser"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if args.max_upload_mb < 1:
        raise ParameterError(f"--max-upload-mb {args.max_upload_mb}: give at least 1")
    from ..api import ETTracker
    from ..live.web import Limits, serve  # first: a missing extra is told before weights load

    # Loaded once, before the port opens, so that a wrong checkpoint is told here; each session
    # gets a copy, which shares the weights.
    prototype = ETTracker(
        checkpoint=args.checkpoint, parameter=args.parameter, engine=args.engine, color="bgr"
    )

    def announce(address: str) -> None:
        print(f"{args.parameter} is at {address}  (Ctrl-C stops)", flush=True)
        if args.open:
            import webbrowser

            webbrowser.open(address)

    serve(
        lambda: copy.deepcopy(prototype),
        args.parameter,
        args.port,
        Limits(upload_bytes=args.max_upload_mb << 20),
        announce,
    )
    return 0
