"""Train on from given weights (`--initial`): everything at a low rate, the teacher kept.

Made for `pytracking_et/weights/et_tracker.safetensors`, or a snapshot of another run. The number
of hidden units stays what it is in those weights. The shipped weights are the average of the result
and its start (`ltr_et.average`).
"""

from __future__ import annotations

from pytracking_et.errors import CheckpointError

from ...settings import Settings, Stage
from ...training.launch import train
from ..sources import prepare
from .distill import LICENSE, statistics


def stages() -> list[Stage]:
    """`distill`'s last stage."""
    return [statistics(16_000)]


def run(settings: Settings) -> bool:
    """Train by this recipe; see `python -m ltr_et.run_training --help`."""
    if settings.initial is None:
        raise CheckpointError("refine starts from trained weights; give them with --initial FILE")
    settings.stages = stages()
    settings.license_note = LICENSE
    prepare(settings)
    return train(settings)
