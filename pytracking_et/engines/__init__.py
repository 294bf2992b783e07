"""Engines: the network behind one small interface, whatever runs it.

`create(...)` gives an engine with `template(image)`, `track(image)` and `clone()`; images are
square uint8 RGB crops, results numpy arrays.
"""

from __future__ import annotations

from .base import Engine
from .select import create

__all__ = ["Engine", "create"]
