"""Ablation (backbones: ResNet-18 with Exemplar towers), in the published loop."""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("resnet18_et")
