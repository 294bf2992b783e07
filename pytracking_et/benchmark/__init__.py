"""Speed of engines, precisions, thread counts and peers, side by side on this machine.

Each subject runs in a process of its own, so that memory and start-up are its own, and the parent
gives them short blocks of the same frames in turn, so that a change of clock or load meets all.
"""

from __future__ import annotations

from .measure import Measurement, measure
from .subjects import Subject, subjects

__all__ = ["Measurement", "Subject", "measure", "subjects"]
