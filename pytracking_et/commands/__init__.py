"""The console command `ettrack`: a table of subcommands, in modules by subject.

The module of a command `some-name` defines `some_name_arguments(parser)` and
`some_name(args) -> int` (the exit code), imports what it needs inside the latter, and is imported
only when its name is asked for, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .. import process
from ..version import __version__
from .arguments import understand_both

# name: (module in this package, one line for --help). Order is the order of the help text.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("live", "render a short clip, track it, show the result; needs no data"),
    "video": ("live", "track targets in a video file or image folder"),
    "webcam": ("live", "track live from a camera or stream"),
    "serve": ("live", "web page on localhost: camera or video in the browser"),
    "run": ("run", "evaluate a tracker on a data set (arguments of run_tracker.py)"),
    "experiment": ("run", "evaluate the trackers and data sets of an experiment file"),
    "init": ("datasets", "write the settings file that names your data set folders"),
    "datasets": ("datasets", "list data sets, check their files"),
    "results": ("results", "tables and plots from result files"),
    "report": ("results", "one self-contained HTML page from result files"),
    "pack": ("exchange", "pack results for GOT-10k's and TrackingNet's servers, or as tracks"),
    "weights": ("weights", "list, download, convert and check network weights"),
    "export": ("exchange", "write ONNX or OpenVINO graphs of a tracker"),
    "benchmark": ("benchmark", "speed of engines, precisions and threads on this machine"),
    "install-into": ("exchange", "plug E.T.Track into a pytracking checkout"),
    "vot-init": ("exchange", "write trackers.ini for the vot-toolkit"),
}
# Studies that no user of a tracker needs.
MOVED = {"ablate": "python -m ltr_et.research.ablation"}


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    rows = "\n".join(f"  {name:<{width}}{summary}" for name, (_, summary) in COMMANDS.items())
    return (
        f"usage: ettrack COMMAND [ARGUMENTS]\n\nE.T.Track {__version__}: single-object tracking "
        f"in real time on a CPU.\n\ncommands:\n{rows}\n\n'ettrack COMMAND --help' explains one.\n"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code (0 done, 1 failures reported, 2 bad input)."""
    process.prepare()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(__version__)
        return 0
    name, *rest = arguments
    if name in MOVED:
        print(f"ettrack: {name!r} is now: {MOVED[name]}", file=sys.stderr)
        return 2
    if name not in COMMANDS:
        print(f"ettrack: unknown command {name!r}; one of: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    args = parser_for(name).parse_args(rest)
    act = _definition(name)
    return process.run(f"ettrack {name}", lambda: int(act(args)))


def parser_for(name: str) -> argparse.ArgumentParser:
    """The parser of a command of `COMMANDS`, which takes every option in both spellings."""
    parser = argparse.ArgumentParser(
        prog=f"ettrack {name}", description=COMMANDS[name][1], allow_abbrev=False
    )
    _definition(name, "_arguments")(parser)
    understand_both(parser)
    return parser


def _definition(name: str, suffix: str = "") -> Callable[..., Any]:
    module = importlib.import_module(f"{__name__}.{COMMANDS[name][0]}")
    found: Callable[..., Any] = getattr(module, name.replace("-", "_") + suffix)
    return found
