"""Backbones: MobileNetV3-Large with convolutional towers.

In the published loop.
"""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("mobilenet_v3_conv")
