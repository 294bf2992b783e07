"""The tracking loop: frame -> crop -> engine -> decode -> box. numpy and OpenCV only."""

from __future__ import annotations

from .loop import Loop
from .parameters import Parameters

__all__ = ["Loop", "Parameters"]
