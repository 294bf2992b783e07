from pytracking_et.tracker.params import TrackerParams


def parameters() -> TrackerParams:
    return TrackerParams(model="nanotrack_v3", label="NanoTrack v3")
