"""Data sets, result files and the runner: pytracking's harness without torch at import time.

Names are resolved on first use, so that `--help` and the analysis load only what they need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..settings import env_settings
    from .datasets import get_dataset, get_dataset_attributes, load_dataset
    from .runner import run_dataset
    from .sequence import Sequence, SequenceList
    from .tracker import Tracker, trackerlist

__all__ = [
    "Sequence",
    "SequenceList",
    "Tracker",
    "env_settings",
    "get_dataset",
    "get_dataset_attributes",
    "load_dataset",
    "run_dataset",
    "trackerlist",
]

_LAZY = {
    "Sequence": ".sequence",
    "SequenceList": ".sequence",
    "Tracker": ".tracker",
    "env_settings": "..settings",
    "get_dataset": ".datasets",
    "get_dataset_attributes": ".datasets",
    "load_dataset": ".datasets",
    "run_dataset": ".runner",
    "trackerlist": ".tracker",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
