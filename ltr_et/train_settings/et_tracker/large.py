"""For a machine with a large GPU: hundreds of thousands of pairs in minutes.

Frames lie in the device's memory and pairs are made there (`data.batched`). Two stages:

1. `towers`: on LT-Mobile's frozen backbone, most of the loss from the teacher, also on boxes that
   nobody has labelled; pasted look-alikes and a ranking loss against them.
2. `everything`: the backbone too, at a tenth of the rate; the teacher stays, since the pack is
   small beside what LT-Mobile has seen.

Starts from LT-Mobile, or from `--initial` weights (then with stage 2 alone). Needs about 10 GB on
the device for the training pack. `--set stages.0.samples=N` and `--set precision=bfloat16` are what
one would change.
"""

from __future__ import annotations

from ...actors import LossWeights
from ...settings import Settings, Stage
from ...training.launch import train
from ..sources import prepare
from .distill import ALL, HEADS, LICENSE

# 64 of 1,024: 16 more than version 3 had cost 3 % of the network's time.
UNITS = 64
BATCH = 256
TOWERS = {**HEADS, "fusor": 0.1, "neck": 0.1}
LOSSES = LossWeights(
    distill_cls=(1.0, 0.5), distill_box=(0.5, 0.25), rank=0.5, distractor=3.0,
)  # fmt: skip


def towers(samples: int) -> Stage:
    """Stage 1."""
    return Stage(
        "towers", samples, source="frames", rates=dict(TOWERS), lr=1e-3, units=UNITS, warmup=100,
        batch=BATCH, micro_batch=0, ema=0.998, final=0.1, losses=LOSSES,
    )  # fmt: skip


def everything(samples: int) -> Stage:
    """Stage 2."""
    losses = LossWeights(distill_cls=(0.5, 0.5), distill_box=(0.25, 0.25), rank=0.5, distractor=3.0)
    return Stage(
        "everything", samples, source="frames", rates=dict(ALL), lr=4e-4, warmup=100,
        batch=BATCH, micro_batch=0, ema=0.998, final=0.02, losses=losses,
    )  # fmt: skip


def stages() -> list[Stage]:
    """Both stages."""
    return [towers(400_000), everything(200_000)]


def run(settings: Settings) -> bool:
    """Train by this recipe; see `python -m ltr_et.run_training --help`."""
    settings.stages = stages() if settings.initial is None else [everything(200_000)]
    settings.license_note = LICENSE
    prepare(settings)
    return train(settings)
