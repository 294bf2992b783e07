"""`ettrack vot-init [FOLDER]`: enter the tracker into a vot-toolkit workspace."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FOLDER, --name, and the tracker's own arguments."""
    from ..integrations.vot_registry import add_tracker_arguments

    parser.add_argument(
        "folder", nargs="?", default=".", help="workspace, where trackers.ini goes (here)"
    )
    parser.add_argument("--name", help="name in the toolkit (default: pytracking_et_PARAMETER)")
    add_tracker_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write trackers.ini for the interpreter that runs this."""
    from ..integrations.vot_registry import make_entry, toolkit_notice, tracker_words, write_entry
    from ..live.run import parameter_for
    from ..network import weights
    from ..tracker import plugins

    parameter = args.parameter or parameter_for(args.checkpoint)
    if args.tracker == "et_tracker":
        # Missing weights are better told now than by the toolkit, which shows a tracker's own
        # words only at the end of a long log.
        weights.find(plugins.parameters("et_tracker", parameter).get("network"), args.checkpoint)
    entry = make_entry(args.name or f"pytracking_et_{parameter}", tracker_words(args))
    path = write_entry(args.folder, entry)
    print(f"wrote [{entry.name}] into {path}:\n  {entry.command}")
    print(
        f"\nnow, in {path.parent.resolve()}:\n  vot test {entry.name}\n  vot evaluate {entry.name}"
    )
    if notice := toolkit_notice():
        print(notice, file=sys.stderr)
    return 0
