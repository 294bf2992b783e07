"""Layers of the head towers, one idea a file; all map (B, C, S, S) -> (B, C, S, S).

A layer is a class `Layer(channels, kernel, position, **options)` with `forward(x, template)`, where
`position` counts from the start of the tower and `template` is the template feature
(B, 96, 8, 8), for layers conditioned on it. A new one needs its
file and a line in `LAYERS`; configurations name it in `configurations.json`.
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import nn

from ...errors import ParameterError

# name in configurations.json: (module in this package, class)
LAYERS = {
    "conv": ("separable", "SeparableLayer"),
    "exemplar": ("exemplar", "ExemplarLayer"),
    "standard": ("standard", "StandardLayer"),
    "clustered": ("clustered", "ClusteredLayer"),
    "linear": ("linear", "LinearLayer"),
    "local": ("local", "LocalLayer"),
    "swin": ("swin", "SwinLayer"),
}


def build_layer(name: str, channels: int, kernel: int, position: int, **options: Any) -> nn.Module:
    """Build the tower layer `name` for `channels` and depthwise kernel size `kernel`.

    Raises:
        ParameterError: no such layer.
    """
    if name not in LAYERS:
        raise ParameterError(f"unknown attention module {name!r}; one of: {', '.join(LAYERS)}")
    module, kind = LAYERS[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), kind)(
        channels, kernel, position, **options
    )
