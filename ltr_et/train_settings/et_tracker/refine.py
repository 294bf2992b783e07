"""Train on from given weights (`--initial`): everything, then everything and the backbone's stem.

Made for `pytracking_et/weights/et_tracker.safetensors`, or a snapshot of another run. The number of
hidden units stays what it is in those weights. A run whose pairs were drawn with this seed before
sees other pairs with `--seed`.
"""

from __future__ import annotations

from dataclasses import replace

from pytracking_et.errors import CheckpointError

from ...actors import LossWeights
from ...settings import Settings, Stage
from ...training.launch import train
from ..sources import prepare
from .distill import LICENSE, everything, statistics


def stages() -> list[Stage]:
    """The two stages: `distill`'s last two, with the teacher faded and true statistics at once."""
    losses = LossWeights(distill_cls=(0.1, 0.1), distractor=3.0)
    first = replace(everything(100_000), reestimate=512, losses=losses)
    return [first, replace(statistics(16_000), reestimate=0)]


def run(settings: Settings) -> bool:
    """Train by this recipe; see `python -m ltr_et.run_training --help`."""
    if settings.initial is None:
        raise CheckpointError("refine starts from trained weights; give them with --initial FILE")
    settings.stages = stages()
    settings.license_note = LICENSE
    prepare(settings)
    return train(settings)
