"""Our recipe: start near LT-Mobile, imitate it, then let the ground truth win.

Measured reasons are in docs/training.md. Three stages:

1. `heads`: Exemplar layers on cached backbone features, most of the loss from the teacher; every
   feed-forward keeps 128 of its 1,024 hidden units (`ltr_et.narrow`), the others are zero.
2. `all`: fresh images, all but the backbone's stem, backbone with a small rate; distillation
   fades, look-alikes count more.
3. `statistics`: BatchNorm gets real statistics, then a last stretch of everything, the stem too,
   at a low rate. The teacher stays: without it this much data pulls a trained network off what
   it knows of the world (evaluation_results/training).

`refine` runs the third stage from weights that are trained already.
"""

from __future__ import annotations

from ...actors import LossWeights
from ...settings import Settings, Stage
from ...training.launch import train
from ..sources import prepare

HEADS = {"exemplar": 1.0, "separable": 0.1, "prediction": 0.1}
# The high-resolution stem costs two thirds of the backbone's time and is general as it is.
MOST = {
    "exemplar": 1.0,
    "separable": 0.5,
    "prediction": 0.5,
    "fusor": 0.3,
    "neck": 0.3,
    "backbone": 0.1,
}
ALL = {**MOST, "stem": 0.1}
# Hidden units of a feed-forward: an eighth reproduces it, and the tracker needs 0.4 of the work.
UNITS = 128
LICENSE = "Trained on data some of which forbids commercial use; see docs/model-card.md"


def heads(samples: int) -> Stage:
    """Stage 1."""
    return Stage(
        "heads", samples, rates=dict(HEADS), units=UNITS, final=0.25,
        losses=LossWeights(
            distill_cls=(1.0, 0.5), distill_box=(0.5, 0.25), hint=1.0, hint_until=0.6,
            distractor=2.0,
        ),
    )  # fmt: skip


def everything(samples: int) -> Stage:
    """Stage 2."""
    return Stage(
        "all",
        samples,
        source="crops",
        rates=dict(MOST),
        lr=3e-4,
        warmup=200,
        ema=0.999,
        final=0.02,
        losses=LossWeights(
            distill_cls=(0.5, 0.1), distill_box=(0.25, 0.0), distill_until=0.5, distractor=3.0
        ),
    )


def statistics(samples: int) -> Stage:
    """Stage 3."""
    return Stage(
        "statistics", samples, source="crops", rates=dict(ALL), lr=1e-4, warmup=50, ema=0.999,
        reestimate=512,
        losses=LossWeights(distill_cls=(0.5, 0.5), distill_box=(0.25, 0.25), distractor=3.0),
    )  # fmt: skip


def stages() -> list[Stage]:
    """The three stages."""
    return [heads(24_000), everything(100_000), statistics(16_000)]


def run(settings: Settings) -> bool:
    """Train by this recipe; see `python -m ltr_et.run_training --help`."""
    settings.stages = stages()
    settings.license_note = LICENSE
    prepare(settings)
    return train(settings)
