"""Examples. Run one with `ettrack experiment myexperiments otb_baseline` (or run_experiment.py).

Copy this file anywhere and change it: `ettrack experiment path/to/my_file.py my_function`.
"""

from __future__ import annotations

from pytracking_et.evaluation import SequenceList, Tracker, get_dataset, trackerlist

Experiment = tuple[list[Tracker], SequenceList]


def uav_test() -> Experiment:
    """E.T.Track with our defaults on UAV123."""
    return trackerlist("et_tracker", "et_tracker"), get_dataset("uav")


def otb_baseline() -> Experiment:
    """E.T.Track beside the convolutional LightTrack-Mobile on OTB-100."""
    trackers = trackerlist("et_tracker", "et_tracker", display_name="E.T.Track")
    trackers += trackerlist("et_tracker", "lt_mobile", display_name="LT-Mobile")
    return trackers, get_dataset("otb")


def got10k_three_runs() -> Experiment:
    """GOT-10k's protocol: three runs, then `ettrack pack got10k et_tracker et_tracker`."""
    return trackerlist("et_tracker", "et_tracker", range(3)), get_dataset("got10k_test")
