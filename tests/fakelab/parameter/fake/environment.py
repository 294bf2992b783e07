"""Parameter file `environment` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    params = TrackerParams()
    params.report_environment = True
    return params
