"""LightTrack-Mobile, the convolutional baseline, in the published loop of E.T.Track."""

from pytracking_et.tracker.params import TrackerParams


def parameters() -> TrackerParams:
    """The same constants as `et_tracker_published`; only the network differs."""
    params = TrackerParams()
    params.network = "lt_mobile"
    params.template_size = 127
    params.search_size = 256
    params.small_search_size = 288
    params.small_target = 0.004
    params.context = 0.5
    params.penalty_k = 0.007
    params.window_influence = 0.225
    params.lr = 0.616
    params.size_smoothing = "twice"
    params.minimum_size = 10
    # Its scores are near 1 even where the target is not. On tracks of the training pack, 0.98 calls
    # 63 % of the crops of other videos low and 3.5 % of those with the target (0.55: none of both).
    params.object_presence_score_threshold = 0.98
    return params
