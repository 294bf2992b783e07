"""E.T.Track where pytracking looks for it.

`ettrack install-into` copies this file, and no other, to `pytracking/tracker/et_tracker/`: the code
stays in the installed package.
"""

from pytracking_et.tracker.et_tracker.et_tracker import ETTrack


def get_tracker_class() -> type[ETTrack]:
    """Class that pytracking's `Tracker` instantiates with the parameters."""
    return ETTrack
