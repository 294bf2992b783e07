"""Parameter file `environment` of the fake tracker."""

from pytracking_et.tracker.params import TrackerParams


def parameters():
    return TrackerParams(report_environment=True)
