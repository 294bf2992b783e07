from pytracking_et.tracker.params import TrackerParams


def parameters() -> TrackerParams:
    return TrackerParams(model="nanotrack_v2", label="NanoTrack v2")
