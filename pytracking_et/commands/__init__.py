"""The console command `ettrack`: a table of subcommands, each in a module of its own.

A command module defines `add_arguments(parser)` and `run(args) -> int` (the exit code), imports
what it needs inside `run`, and is imported only when its name is asked for, so that `--help`
answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from .. import process
from ..version import __version__

# name: (module in this package, one line for --help). Order is the order of the help text.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "render a short clip, track it, show the result; needs no data"),
    "video": ("video", "track targets in a video file or image folder"),
    "webcam": ("webcam", "track live from a camera or stream"),
    "serve": ("live", "web page on localhost: camera or video in the browser"),
    "run": ("run", "evaluate a tracker on a data set (arguments of run_tracker.py)"),
    "experiment": ("experiment", "evaluate the trackers and data sets of an experiment file"),
    "init": ("init", "write the settings file that names your data set folders"),
    "datasets": ("datasets", "list data sets, check their files"),
    "results": ("results", "tables and plots from result files"),
    "report": ("report", "one self-contained HTML page from result files"),
    "pack": ("exchange", "pack results for the GOT-10k and TrackingNet servers"),
    "weights": ("weights", "list, download, convert and check network weights"),
    "export": ("export", "write ONNX or OpenVINO graphs of a tracker"),
    "benchmark": ("benchmark", "speed of engines, precisions and threads on this machine"),
    "install-into": ("install_into", "plug E.T.Track into a pytracking checkout"),
    "vot-init": ("vot_init", "write trackers.ini for the vot-toolkit"),
    "ablate": ("ablate", "train and measure the rows of the paper's tables"),
}


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
    if name not in COMMANDS:
        print(f"ettrack: unknown command {name!r}; one of: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module_name, summary = COMMANDS[name]
    module = importlib.import_module(f"{__name__}.{module_name}")
    parser = argparse.ArgumentParser(
        prog=f"ettrack {name}", description=summary, allow_abbrev=False
    )
    module.add_arguments(parser)
    args = parser.parse_args(rest)
    return process.run(f"ettrack {name}", lambda: int(module.run(args)))


def parse_boolean(text: str) -> bool:
    """Argument type for flags given with a value: true/false, yes/no, on/off, 1/0.

    pytracking uses type=bool, for which every non-empty text, "False" too, is true.
    """
    lowered = text.strip().lower()
    if lowered in ("1", "true", "t", "yes", "y", "on"):
        return True
    if lowered in ("0", "false", "f", "no", "n", "off"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not a boolean; write true or false")
