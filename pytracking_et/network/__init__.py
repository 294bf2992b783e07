"""Networks: image tensors in, score and distance maps out; knows nothing of sequences.

`build(name)` makes one of `configurations()`; `weights` reads and writes its parameters.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .constants import MEAN, STD, STRIDE

if TYPE_CHECKING:
    from . import weights
    from .registry import NetworkConfiguration, build, configuration, configurations

__all__ = [
    "MEAN",
    "STD",
    "STRIDE",
    "NetworkConfiguration",
    "build",
    "configuration",
    "configurations",
    "weights",
]

_LAZY = {"build", "configuration", "configurations", "NetworkConfiguration"}


def __getattr__(name: str) -> Any:
    # torch takes a second to import; asking for the constants must not pay for it.
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.registry"), name)
    if name == "weights":
        return importlib.import_module(f"{__name__}.weights")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
