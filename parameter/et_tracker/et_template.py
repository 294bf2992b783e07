"""Components: + feed-forward + template conditioning.

In the published loop.
"""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("et_template")
