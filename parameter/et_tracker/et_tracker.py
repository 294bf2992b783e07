"""E.T.Track, our default: weights of this package and the constants tuned with them."""

from pytracking_et.tracker.params import TrackerParams


def parameters() -> TrackerParams:
    """Every field set here overrules the constant stored with the weights."""
    params = TrackerParams()
    params.network = "et_tracker"
    params.use_checkpoint_parameters = True
    return params
