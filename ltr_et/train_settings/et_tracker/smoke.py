"""Ten minutes from a clean checkout to a file that tracks: is everything in working order?

With the training pack and LT-Mobile's weights beside the repository (or given by --data and
--teacher) this is the first stage of `distill` made short. With neither, clips are rendered and
the whole network is trained from random weights, which learns to find the target and no more.
Crops and features go to folders of their own: the recipes need many more.
"""

from __future__ import annotations

from ...actors import LossWeights
from ...settings import Settings, Stage
from ...training.launch import train
from ..sources import find_teacher, prepare, shared_folder, write_clips
from .distill import ALL, HEADS, UNITS

# A few varied sources; the whole pack would take most of the ten minutes to cut.
SOURCES = ("davis2016", "mot_dense", "vos", "coco")
LICENSE = "Smoke test of the training code; not meant for use"


def run(settings: Settings) -> bool:
    """Train for some minutes; see `python -m ltr_et.run_training --help`."""
    settings.validate_minutes = settings.snapshot_minutes = 0
    settings.validation_pairs, settings.warm_start_pairs = 96, 256
    settings.record_steps = 5
    settings.license_note = LICENSE
    shared = shared_folder()
    pack = settings.data or (shared / "train" if shared else None)
    if find_teacher(settings) is not None and (settings.crops or (pack and pack.is_dir())):
        settings.stages = [_from_teacher()]
        folder = settings.workspace / "smoke"
        prepare(settings, views=1024, sources=SOURCES, folder=folder)
    else:
        settings.stages = [_from_nothing()]
        settings.data = write_clips(settings.workspace / "rendered")
        prepare(settings, teacher=False, folder=settings.data)
    return train(settings)


def _from_teacher() -> Stage:
    losses = LossWeights(distill_cls=(1.0, 0.5), distill_box=(0.5, 0.25), hint=1.0)
    return Stage("heads", 2048, rates=dict(HEADS), units=UNITS, warmup=10, ema=0.95, losses=losses)


def _from_nothing() -> Stage:
    # BatchNorm must learn its statistics here, hence the network's own forward.
    rates = dict.fromkeys(ALL, 1.0)
    return Stage(
        "all", 2048, source="crops", rates=rates, lr=1e-3, warmup=10, batch=16, micro_batch=0,
        ema=0.95, batch_norm="train", fast=False,
    )  # fmt: skip
