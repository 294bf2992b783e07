"""Parameter file `slow` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    return TrackerParams(delay=0.02)
