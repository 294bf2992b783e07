"""Layers of the head towers; all map (B, C, S, S) -> (B, C, S, S).

A layer is a class `Layer(channels, kernel, position, **options)` with `forward(x, template)`, where
`position` counts from the start of the tower and `template` is the template feature
(B, 96, 8, 8), for layers conditioned on it. A new one needs a line in `LAYERS`; configurations name
it in `configurations.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from ...errors import ParameterError
from ..towers import SeparableLayer
from .attention import ClusteredLayer, LinearLayer, StandardLayer
from .exemplar import ExemplarLayer
from .windows import LocalLayer, SwinLayer

# By name in configurations.json.
LAYERS: dict[str, Callable[..., nn.Module]] = {
    "conv": SeparableLayer,
    "exemplar": ExemplarLayer,
    "standard": StandardLayer,
    "clustered": ClusteredLayer,
    "linear": LinearLayer,
    "local": LocalLayer,
    "swin": SwinLayer,
}


def build_layer(name: str, channels: int, kernel: int, position: int, **options: Any) -> nn.Module:
    """Build the tower layer `name` for `channels` and depthwise kernel size `kernel`.

    Raises:
        ParameterError: no such layer.
    """
    if name not in LAYERS:
        raise ParameterError(f"unknown attention module {name!r}; one of: {', '.join(LAYERS)}")
    return LAYERS[name](channels, kernel, position, **options)
