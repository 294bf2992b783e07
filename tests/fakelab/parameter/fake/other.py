"""Parameter file `other` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    params = TrackerParams()
    params.strength = 2
    return params
