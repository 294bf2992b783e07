"""Backbones: ResNet-18 with convolutional towers.

In the published loop.
"""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("resnet18_conv")
