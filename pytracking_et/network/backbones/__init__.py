"""Backbones: image (B, 3, H, W) -> feature (B, 96, H/16, W/16).

A new backbone is a class (or function) of its options and a line in `BACKBONES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from ...errors import ParameterError
from .imagenet import MobileNetV3, ResNet18, ShuffleNetV2
from .lt_mobile import FEATURE_CHANNELS, backbone

__all__ = ["BACKBONES", "FEATURE_CHANNELS", "build_backbone"]

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "lt_mobile": backbone,
    "mobilenet_v3": MobileNetV3,
    "resnet18": ResNet18,
    "shufflenet_v2": ShuffleNetV2,
}


def build_backbone(name: str, **options: Any) -> nn.Module:
    """Build the backbone `name`; options go to its constructor.

    Raises:
        ParameterError: no such backbone.
    """
    if name not in BACKBONES:
        raise ParameterError(f"unknown backbone {name!r}; one of: {', '.join(BACKBONES)}")
    return BACKBONES[name](**options)
