"""Parameter file `silent` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    return TrackerParams(scores=False)
