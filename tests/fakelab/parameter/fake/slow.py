"""Parameter file `slow` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    params = TrackerParams()
    params.delay = 0.02
    return params
