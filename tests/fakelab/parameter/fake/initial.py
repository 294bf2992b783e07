"""Parameter file `initial` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    params = TrackerParams()
    params.init_box_out = True
    return params
