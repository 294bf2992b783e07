"""Train on from given weights (`--initial`): the stages of `distill`, without its first lesson.

The likeness to the teacher's layers, which the warm start needs, would pull trained layers back.
Made for `pytracking_et/weights/et_tracker.safetensors`, or a snapshot of another run.
"""

from __future__ import annotations

from pytracking_et.errors import CheckpointError

from ...settings import Settings, Stage
from ...training.launch import train
from ..sources import prepare
from .distill import LICENSE, everything, heads, statistics


def stages() -> list[Stage]:
    """The three stages."""
    return [heads(16_000, hint=0.0), everything(100_000), statistics(16_000)]


def run(settings: Settings) -> bool:
    """Train by this recipe; see `python -m ltr_et.run_training --help`."""
    if settings.initial is None:
        raise CheckpointError("refine starts from trained weights; give them with --initial FILE")
    settings.stages = stages()
    settings.license_note = LICENSE
    prepare(settings)
    return train(settings)
