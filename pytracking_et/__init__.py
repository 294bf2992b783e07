"""E.T.Track (Exemplar Transformer tracker, WACV 2023) for pytracking and on its own.

    from pytracking_et import ETTracker
    tracker = ETTracker()
    tracker.init(image, (x, y, width, height))
    box, score = tracker.update(next_image)

Names are resolved on first use, so that importing the package costs nothing: torch, OpenCV and
the optional packages are loaded only by the part that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .api import ETTracker

__all__ = ["ETTracker", "__version__"]

_LAZY = {"ETTracker": "pytracking_et.api"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
