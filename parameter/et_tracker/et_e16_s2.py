"""E = 16 and S = 2.

In the published loop.
"""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("et_e16_s2")
