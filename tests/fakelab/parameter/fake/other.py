"""Parameter file `other` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    return TrackerParams(strength=2)
