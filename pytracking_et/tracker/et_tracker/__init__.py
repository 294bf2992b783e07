"""E.T.Track for pytracking; copy this folder into `pytracking/tracker/` or run `install-into`."""

from pytracking_et.tracker.et_tracker.et_tracker import ETTrack


def get_tracker_class() -> type[ETTrack]:
    """Class that pytracking's `Tracker` instantiates with the parameters."""
    return ETTrack
