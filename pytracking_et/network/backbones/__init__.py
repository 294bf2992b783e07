"""Backbones: image (B, 3, H, W) -> feature (B, 96, H/16, W/16).

A new backbone is a module here with a class or function `backbone(**options) -> nn.Module`, and a
line in `BACKBONES`.
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import nn

from ...errors import ParameterError

# name: module in this package that defines `backbone(**options)`.
BACKBONES = {
    "lt_mobile": "lt_mobile",
    "mobilenet_v3": "mobilenet_v3",
    "resnet18": "resnet18",
    "shufflenet_v2": "shufflenet_v2",
}

FEATURE_CHANNELS = 96


def build_backbone(name: str, **options: Any) -> nn.Module:
    """Build the backbone `name`; options go to its constructor.

    Raises:
        ParameterError: no such backbone.
    """
    if name not in BACKBONES:
        raise ParameterError(f"unknown backbone {name!r}; one of: {', '.join(BACKBONES)}")
    module = importlib.import_module(f"{__name__}.{BACKBONES[name]}")
    return module.backbone(**options)
