"""E.T.Track exactly as published: loop and constants of the WACV 2023 plug-in."""

from pytracking_et.tracker.params import TrackerParams


def parameters() -> TrackerParams:
    """Constants of the published tracker file (its parameter file set others, never read)."""
    params = TrackerParams()
    params.network = "et_tracker"
    params.template_size = 127
    params.search_size = 256
    params.small_search_size = 288
    params.sure_shrink = 0
    params.small_target = 0.004
    params.context = 0.5
    params.penalty_k = 0.007
    params.window_influence = 0.225
    params.lr = 0.616
    params.size_smoothing = "twice"
    params.anchor = "state"
    params.minimum_size = 10
    params.association = False
    return params
