"""Evaluate a tracker: `python run_tracker.py ...` from inside this folder, or with -m.

The same as `ettrack run ...`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a file: in place of this folder the one in which the package is found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pytracking_et.commands import main


def run_tracker(
    tracker_name: str,
    tracker_param: str,
    run_id: int | None = None,
    dataset_name: str = "otb",
    sequence: str | int | None = None,
    debug: int = 0,
    threads: int = 0,
    visdom_info: dict[str, object] | None = None,
) -> int:
    """pytracking's function of this name; returns the exit code (1 where a sequence failed)."""
    from pytracking_et.analysis.summary import result_tables
    from pytracking_et.evaluation.experiment import (
        run_and_report,
        select_sequences,
        select_trackers,
    )
    from pytracking_et.live.visdom_panels import Visdom

    return run_and_report(
        select_sequences(dataset_name, None, sequence),
        select_trackers(tracker_name, tracker_param, run_id),
        result_tables,
        debug=debug,
        threads=threads,
        visdom_info=visdom_info,
        display=Visdom,
    )


if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
