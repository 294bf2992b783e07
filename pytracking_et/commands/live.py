"""`ettrack serve`: the web page on localhost."""

from __future__ import annotations

import argparse
import copy

from ..errors import ParameterError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack serve`."""
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default 8000)")
    parser.add_argument(
        "--parameter", help="parameter file of the tracker (default: the one for the weights)"
    )
    parser.add_argument("--checkpoint", help="weights; found by themselves if not given")
    parser.add_argument(
        "--engine", default="auto", help="auto, torch, onnx or openvino (default auto)"
    )
    parser.add_argument("--precision", default="auto", help="auto, f32, bf16 or int8")
    parser.add_argument("--threads", type=int, help="CPU threads of the tracker")
    parser.add_argument(
        "--low_score",
        "--low-score",
        type=float,
        help="below it a box is grey: hidden or gone (default: the parameter file's, or 0.55)",
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
    from ..live.run import low_score_of, parameter_for
    from ..live.web import Limits, serve  # first: a missing extra is told before weights load

    parameter = args.parameter or parameter_for(args.checkpoint)
    low_score = low_score_of(parameter) if args.low_score is None else args.low_score
    # Loaded once, before the port opens, so that a wrong checkpoint is told here; each session
    # gets a copy, which shares the weights.
    prototype = ETTracker(
        args.checkpoint, parameter, args.engine, "bgr", args.threads, args.precision
    )

    def announce(address: str) -> None:
        print(f"{parameter} is at {address}  (Ctrl-C stops)", flush=True)
        if args.open:
            import webbrowser

            webbrowser.open(address)

    serve(
        lambda: copy.deepcopy(prototype),
        parameter,
        args.port,
        Limits(upload_bytes=args.max_upload_mb << 20),
        announce,
        low_score,
    )
    return 0
