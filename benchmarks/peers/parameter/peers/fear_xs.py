from pytracking_et.tracker.params import TrackerParams


def parameters() -> TrackerParams:
    return TrackerParams(model="fear_xs", label="FEAR-XS")
