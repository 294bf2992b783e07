"""The paper's training (WACV 2023, section 4), for those who have its data sets.

See docs/method.md, section 7.

SGD, 50 epochs, backbone from ImageNet frozen for the first 10, learning rate 2e-2 -> 1e-1 over 5
epochs and then logarithmically to 2e-4, BCE + IoU loss, no teacher. `--data` names a folder that
holds LaSOT, TrackingNet, GOT-10k and COCO as `lasot`, `trackingnet`, `got10k` (its `train`
folder's content) and `coco`; sets that are absent are left out with a notice. `--backbone` names
LT-Mobile's ImageNet weights.

The paper does not publish the batch size, the number of pairs an epoch, the weight lambda of the
box loss or the way the data sets are mixed: those four are LightTrack's and pytracking's habits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pytracking_et.errors import DatasetError

from ...actors import LossWeights
from ...data.sampler import TrackingSampler
from ...dataset.base import BaseDataset
from ...settings import PARTS, Settings, Stage
from ...training.launch import train

log = logging.getLogger(__name__)

EPOCHS, FROZEN_EPOCHS = 50, 10
PAIRS_AN_EPOCH = 60_000
BATCH = 128
BOX_WEIGHT = 1.2


def stages() -> list[Stage]:
    """One stage of 50 epochs."""
    return [
        Stage(
            "paper",
            EPOCHS * PAIRS_AN_EPOCH,
            source="datasets",
            rates=dict.fromkeys(PARTS, 1.0),
            optimizer="sgd",
            lr=1e-1,
            momentum=0.9,
            weight_decay=1e-4,
            schedule="paper",
            final=2e-3,
            batch=BATCH,
            micro_batch=0,
            clip=10.0,
            ema=0.0,
            batch_norm="train",
            freeze_backbone=FROZEN_EPOCHS / EPOCHS,
            fast=False,
            losses=LossWeights(cls=1.0, box=BOX_WEIGHT, radius=2),
        )
    ]


def open_datasets(settings: Settings, stage: Stage) -> TrackingSampler:
    """Sampler over the sets that are there.

    Raises:
        DatasetError: none is.
    """
    root = Path(settings.data or ".")
    found: list[BaseDataset] = []
    for name, opener in _openers().items():
        if (root / name).is_dir():
            found.append(opener(root / name))
        else:
            log.info("no %s at %s; training goes on without it", name, root / name)
    if not found:
        raise DatasetError(
            f"none of lasot, trackingnet, got10k, coco is in {root}; give their folder with --data"
        )
    return TrackingSampler(found, seed=settings.seed)


def _openers() -> dict[str, Callable[[Path], BaseDataset]]:
    from ...dataset import Coco, Got10k, Lasot, TrackingNet

    return {
        "lasot": Lasot,
        "trackingnet": TrackingNet,
        "got10k": lambda root: Got10k(root, split="vottrain"),
        "coco": Coco,
    }


def run(settings: Settings) -> bool:
    """Train as published; see `python -m ltr_et.run_training --help`."""
    settings.stages = stages()
    settings.validation_pairs = 0
    settings.num_workers = settings.num_workers or 4
    return train(settings, open_datasets)
