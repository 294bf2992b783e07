"""Parameter file `initial` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    return TrackerParams(init_box_out=True)
