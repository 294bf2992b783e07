"""The recipes of E.T.Track: `python -m ltr_et.run_training et_tracker NAME`.

`distill` is ours: start near LT-Mobile, imitate it, then let the ground truth win; `refine` and
`narrow` go on from its weights, `large` is for a machine with a large GPU, `paper` the published
training, `smoke` a test of everything. Measured reasons are in docs/training.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError

from ..actors import LossWeights
from ..data.sampler import TrackingSampler
from ..dataset.base import BaseDataset
from ..dataset.official import Coco, Got10k, Lasot, TrackingNet
from ..settings import PARTS, Settings, Stage
from ..training.launch import keep_constants, launched, train
from .sources import find_teacher, prepare, shared_folder, write_clips

log = logging.getLogger(__name__)

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
# Fewest units at which tracking had not changed (evaluation_results/training).
NARROW_UNITS = 48
LICENSE = "Trained on data some of which forbids commercial use; see docs/model-card.md"


def statistics() -> Stage:
    """Stage 3 of `distill`, the only one of `refine`."""
    return Stage(
        "statistics", 16_000, source="crops", rates=dict(ALL), lr=1e-4, warmup=50, ema=0.999,
        reestimate=512,
        losses=LossWeights(distill_cls=(0.5, 0.5), distill_box=(0.25, 0.25), distractor=3.0),
    )  # fmt: skip


def distill(settings: Settings) -> bool:
    """From LT-Mobile to weights that track, in three stages.

    1. `heads`: Exemplar layers on cached backbone features, most of the loss from the teacher;
       every feed-forward keeps 128 of its 1,024 hidden units (`warm_start.narrow`), the others are
       zero.
    2. `all`: fresh images, all but the backbone's stem, backbone with a small rate; distillation
       fades, look-alikes count more.
    3. `statistics`: BatchNorm gets real statistics, then a last stretch of everything, the stem
       too, at a low rate. The teacher stays: without it this much data pulls a trained network off
       what it knows of the world (evaluation_results/training).
    """
    heads = Stage(
        "heads", 24_000, rates=dict(HEADS), units=UNITS, final=0.25,
        losses=LossWeights(
            distill_cls=(1.0, 0.5), distill_box=(0.5, 0.25), hint=1.0, hint_until=0.6,
            distractor=2.0,
        ),
    )  # fmt: skip
    everything = Stage(
        "all", 100_000, source="crops", rates=dict(MOST), lr=3e-4, warmup=200, ema=0.999,
        final=0.02, losses=LossWeights(
            distill_cls=(0.5, 0.1), distill_box=(0.25, 0.0), distill_until=0.5, distractor=3.0
        ),
    )  # fmt: skip
    return _run(settings, [heads, everything, statistics()])


def refine(settings: Settings) -> bool:
    """Train on from given weights (`--initial`): everything at a low rate, the teacher kept.

    Made for `pytracking_et/weights/et_tracker.safetensors`, or a snapshot of another run. The
    number of hidden units stays what it is in those weights. The shipped weights are the average of
    the result and its start (`ltr_et.average`).
    """
    _initial(settings, "refine")
    return _run(settings, [statistics()])


def narrow(settings: Settings) -> bool:
    """Leave trained weights (`--initial`) fewer hidden units, with nothing trained after.

    In the shipped weights between stage `all` and `refine`: 128 units to 48. `--set
    stages.0.units=64` takes another number. Writes `final.safetensors` as the other recipes do.
    """
    initial = _initial(settings, "narrow")
    stage = Stage("narrow", 320, source="crops", rates=dict(HEADS), units=NARROW_UNITS)
    settings.stages = [stage]
    settings.license_note = LICENSE
    prepare(settings, teacher=False)
    with launched(settings) as launch:
        net = network.build(settings.network)
        texts = network.weights.load(net, initial)
        named = texts.get("network", settings.network)
        if named != settings.network:
            # Others have the same shapes, and layers are fitted as the network computes them.
            raise CheckpointError(
                f"{initial} holds weights of network {named}, not {settings.network}; give --set "
                f"network={named}"
            )
        keep_constants(settings, initial)
        launch.before_stage(net, stage)
        path = settings.folder / "final.safetensors"
        launch.export(net.state_dict(), int(texts.get("samples", 0)), path)
    return True


def _run(settings: Settings, stages: list[Stage]) -> bool:
    settings.stages = stages
    settings.license_note = LICENSE
    prepare(settings)
    return train(settings)


def _initial(settings: Settings, recipe: str) -> Path:
    if settings.initial is None:
        raise CheckpointError(
            f"{recipe} starts from trained weights; give them with --initial FILE"
        )
    return settings.initial


# 64 of 1,024: 16 more than version 3 had cost 3 % of the network's time.
LARGE_UNITS = 64
LARGE_BATCH = 256
LARGE_LOSSES = LossWeights(
    distill_cls=(1.0, 0.5), distill_box=(0.5, 0.25), rank=0.5, distractor=3.0,
)  # fmt: skip


def large(settings: Settings) -> bool:
    """For a machine with a large GPU: hundreds of thousands of pairs in minutes.

    Frames lie in the device's memory and pairs are made there (`data.batched`). Two stages:

    1. `towers`: on LT-Mobile's frozen backbone, most of the loss from the teacher, also on boxes
       that nobody has labelled; pasted look-alikes and a ranking loss against them.
    2. `everything`: the backbone too, at a tenth of the rate; the teacher stays, since the pack is
       small beside what LT-Mobile has seen.

    Starts from LT-Mobile, or from `--initial` weights (then with stage 2 alone). Needs about 10 GB
    on the device for the training pack. `--set stages.0.samples=N` and `--set precision=bfloat16`
    are what one would change.
    """
    towers = Stage(
        "towers", 400_000, source="frames", rates={**HEADS, "fusor": 0.1, "neck": 0.1}, lr=1e-3,
        units=LARGE_UNITS, warmup=100, batch=LARGE_BATCH, micro_batch=0, ema=0.998, final=0.1,
        losses=LARGE_LOSSES,
    )  # fmt: skip
    everything = Stage(
        "everything", 200_000, source="frames", rates=dict(ALL), lr=4e-4, warmup=100,
        batch=LARGE_BATCH, micro_batch=0, ema=0.998, final=0.02,
        losses=replace(LARGE_LOSSES, distill_cls=(0.5, 0.5), distill_box=(0.25, 0.25)),
    )  # fmt: skip
    return _run(settings, [everything] if settings.initial else [towers, everything])


# A few varied sources; the whole pack would take most of the ten minutes to cut.
SMOKE_SOURCES = ("davis2016", "mot_dense", "vos", "coco")


def smoke(settings: Settings) -> bool:
    """Ten minutes from a clean checkout to a file that tracks: is everything in working order?

    With the training pack and LT-Mobile's weights beside the repository (or given by --data and
    --teacher) this is the first stage of `distill` made short. With neither, clips are rendered
    and the whole network is trained from random weights, which learns to find the target and no
    more. Crops and features go to folders of their own: the recipes need many more.
    """
    settings.validate_minutes = settings.snapshot_minutes = 0
    settings.validation_pairs, settings.warm_start_pairs = 96, 256
    settings.record_steps = 5
    settings.license_note = "Smoke test of the training code; not meant for use"
    shared = shared_folder()
    if settings.data is not None and not settings.data.is_dir():
        raise DatasetError(f"no folder {settings.data}; give the training pack with --data")
    pack = settings.data or (shared / "train" if shared else None)
    taught = find_teacher(settings) is not None
    if settings.data is not None and not taught:
        raise CheckpointError("with --data, give LT-Mobile's weights with --teacher, too")
    if taught and (settings.crops or (pack and pack.is_dir())):
        losses = LossWeights(distill_cls=(1.0, 0.5), distill_box=(0.5, 0.25), hint=1.0)
        stage = Stage(
            "heads", 2048, rates=dict(HEADS), units=UNITS, warmup=10, ema=0.95, losses=losses
        )
        settings.stages = [stage]
        folder = settings.workspace / "smoke"
        prepare(settings, views=1024, sources=SMOKE_SOURCES, folder=folder)
    else:
        # BatchNorm must learn its statistics here, hence the network's own forward.
        stage = Stage(
            "all", 2048, source="crops", rates=dict.fromkeys(ALL, 1.0), lr=1e-3, warmup=10,
            batch=16, micro_batch=0, ema=0.95, batch_norm="train", fast=False,
        )  # fmt: skip
        settings.stages = [stage]
        settings.data = write_clips(settings.workspace / "rendered")
        prepare(settings, teacher=False, folder=settings.data)
    return train(settings)


PAPER_EPOCHS, PAPER_FROZEN_EPOCHS = 50, 10
PAPER_PAIRS_AN_EPOCH = 60_000


def published() -> Stage:
    """The stage of `paper`: 50 epochs."""
    return Stage(
        "paper", PAPER_EPOCHS * PAPER_PAIRS_AN_EPOCH, source="datasets",
        rates=dict.fromkeys(PARTS, 1.0), optimizer="sgd", lr=1e-1, momentum=0.9, weight_decay=1e-4,
        schedule="paper", final=2e-3, batch=128, micro_batch=0, clip=10.0, ema=0.0,
        batch_norm="train", freeze_backbone=PAPER_FROZEN_EPOCHS / PAPER_EPOCHS, fast=False,
        losses=LossWeights(cls=1.0, box=1.2, radius=2),
    )  # fmt: skip


def paper(settings: Settings) -> bool:
    """The paper's training (WACV 2023, section 4), for those who have its data sets.

    See docs/method.md, section 7.

    SGD, 50 epochs, backbone from ImageNet frozen for the first 10, learning rate 2e-2 -> 1e-1 over
    5 epochs and then logarithmically to 2e-4, BCE + IoU loss, no teacher. `--data` names a folder
    that holds LaSOT, TrackingNet, GOT-10k and COCO as `lasot`, `trackingnet`, `got10k` (its
    `train` folder's content) and `coco`; sets that are absent are left out with a notice.
    `--backbone` names LT-Mobile's ImageNet weights.

    The paper does not publish the batch size, the number of pairs an epoch, the weight lambda of
    the box loss or the way the data sets are mixed: those four are LightTrack's and pytracking's
    habits.
    """
    settings.stages = [published()]
    settings.validation_pairs = 0
    settings.teacher = None
    settings.num_workers = settings.num_workers or 4
    return train(settings, open_datasets)


OPENERS: dict[str, Callable[[Path], BaseDataset]] = {
    "lasot": Lasot,
    "trackingnet": TrackingNet,
    "got10k": lambda root: Got10k(root, split="vottrain"),
    "coco": Coco,
}


def open_datasets(settings: Settings, stage: Stage) -> TrackingSampler:
    """Sampler over the sets of `paper` that are there.

    Raises:
        DatasetError: none is.
    """
    root = Path(settings.data or ".")
    found: list[BaseDataset] = []
    for name, opener in OPENERS.items():
        if (root / name).is_dir():
            found.append(opener(root / name))
        else:
            log.info("no %s at %s; training goes on without it", name, root / name)
    if not found:
        raise DatasetError(
            f"none of lasot, trackingnet, got10k, coco is in {root}; give their folder with --data"
        )
    return TrackingSampler(found, seed=settings.seed)


RECIPES: dict[str, Callable[[Settings], bool]] = {
    recipe.__name__: recipe for recipe in (distill, large, narrow, paper, refine, smoke)
}
