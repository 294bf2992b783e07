"""VOT under pytracking's names: `python run_vot.py TRACKER PARAM [--run_id N]`, and in trackers.ini

    protocol = traxpython
    command = import pytracking_et.run_vot as run_vot; run_vot.run_vot2020('NAME', 'PARAM')

The same as `python -m pytracking_et.integrations.vot`; `ettrack vot-init` writes an entry for that.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    # Run as a file: in place of this folder the one in which the package is found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pytracking_et.commands.arguments import understand_both
from pytracking_et.errors import PytrackingETError


def run_vot2020(
    tracker_name: str,
    tracker_param: str,
    run_id: int | None = None,
    debug: int = 0,
    visdom_info: dict[str, Any] | None = None,
) -> None:
    """pytracking's function of this name: serve the vot-toolkit until it says quit.

    Args:
        tracker_name: as in `run_tracker`.
        tracker_param: parameter file.
        run_id: accepted for pytracking's signature; the toolkit numbers runs itself.
        debug: accepted likewise; nothing is drawn beside the toolkit.
        visdom_info: likewise.

    Raises:
        PytrackingETError: the tracker cannot be opened, or cannot go on.
    """
    from pytracking_et.integrations.vot import run
    from pytracking_et.spec import TrackerSpec

    run(TrackerSpec(tracker_name, tracker_param))


def run_vot(tracker_name: str, tracker_param: str, run_id: int | None = None) -> None:
    """pytracking's function for VOT up to 2019: regions come as polygons; otherwise the same."""
    run_vot2020(tracker_name, tracker_param, run_id)


def main(argv: list[str] | None = None) -> int:
    """Exit code 2 where the tracker cannot be opened or go on."""
    parser = argparse.ArgumentParser(prog="run_vot.py", description=run_vot.__doc__)
    parser.add_argument("tracker_name")
    parser.add_argument("tracker_param")
    parser.add_argument("--run_id", type=int)
    understand_both(parser)
    args = parser.parse_args(argv)
    try:
        run_vot(args.tracker_name, args.tracker_param, args.run_id)
    except PytrackingETError as error:
        print(f"run_vot.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
