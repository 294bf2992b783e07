"""Backbones: ShuffleNetV2 1.0x with convolutional towers.

In the published loop.
"""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("shufflenet_v2_conv")
