"""What a run reads: batches of a stage's feature cache or crop store, held-out pairs of validation.

Their order depends on the seed alone. Batch b of process r out of W holds the items (b W + r) B ...
+ B - 1 of the epoch, so W processes with batches of B see in each step what one process with
batches of W B sees.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pytracking_et.errors import DatasetError, PytrackingETError

from ..actors import Batch, ETActor
from ..data.crops import CropStore
from ..data.features import FeatureCache
from ..data.pairs import CropPairs, FeaturePairs, PairSource, Sample
from ..losses import iou_of_distances, side_distances
from ..settings import Settings, Stage
from .distributed import Group

log = logging.getLogger(__name__)


class EpochBatches:
    """Keys (epoch, item) of one process's batches; set `epoch` and `start` before iterating."""

    def __init__(self, samples: int, batch: int, group: Group) -> None:
        self.batch, self.group = batch, group
        self.steps = samples // (batch * group.world)
        self.epoch = 0
        self.start = 0

    def __len__(self) -> int:
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in range(self.start, self.steps):
            first = (step * self.group.world + self.group.rank) * self.batch
            yield [(self.epoch, item) for item in range(first, first + self.batch)]


def collate(samples: list[Sample]) -> dict[str, Any]:
    """Samples to a batch of tensors: images B x 3 x H x W uint8, features float32."""
    batch: dict[str, Any] = {"broken": [name for sample in samples for name in sample["broken"]]}
    for name in samples[0]:
        if name == "broken":
            continue
        values = np.stack([sample[name] for sample in samples])
        tensor = torch.from_numpy(values)
        if name in ("template", "search"):
            # Stays channels-last in memory, which is what the convolutions like best.
            tensor = tensor.permute(0, 3, 1, 2)
        elif name in ("z", "x"):
            tensor = tensor.float()
        batch[name] = tensor
    return batch


class _Told:
    """A pair source whose errors are samples: from a worker they would come with its traceback."""

    def __init__(self, pairs: PairSource) -> None:
        self.pairs = pairs

    def __getitem__(self, key: tuple[int, int]) -> Sample | PytrackingETError:
        try:
            return self.pairs[key]
        except PytrackingETError as error:
            return error


def _collate_or_error(samples: list[Any]) -> dict[str, Any] | PytrackingETError:
    errors = [sample for sample in samples if isinstance(sample, PytrackingETError)]
    return errors[0] if errors else collate(samples)


def _start_worker(_: int) -> None:
    # One thread each: workers are there to use the cores that the trainer leaves.
    cv2.setNumThreads(1)
    # A terminal's Ctrl-C and a batch system's SIGTERM reach all processes of a run: the trainer
    # alone decides, and needs its workers until it has saved. They end when it does.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end_workers() -> None:
    # By SIGTERM, as multiprocessing ends daemons at exit, they do not end, and it waits for them:
    # after an error, which keeps the loader alive, the command would never return.
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()


# Pairs of an epoch; only the bounds at which new feature chunks are taken in.
EPOCH = 4096


class PairData:
    """Endless batches of a stage for one process.

    Images are made in `num_workers` spawned processes, 0 makes them in this one; cached features
    are always read here, faster than they can be sent between processes.

    Args:
        pairs: `CropPairs`, `TrackingSampler`, or `FeaturePairs`, which is refreshed between epochs.

    Attributes:
        waited: seconds spent waiting for batches so far.
        broken: messages of the images that could not be read, each logged once.

    Raises:
        DatasetError: a batch that cannot be shared by the processes.
    """

    def __init__(self, pairs: PairSource, stage: Stage, settings: Settings, group: Group) -> None:
        self.pairs = pairs
        samples = max(stage.batch, min(EPOCH, stage.samples))
        self.epochs = EpochBatches(samples, group.share(stage.batch), group)
        self.waited = 0.0
        self.broken: set[str] = set()
        workers = 0 if stage.source == "features" else settings.num_workers
        if workers:
            atexit.register(_end_workers)
        self._loader: DataLoader[Any] = DataLoader(
            _Told(pairs),  # type: ignore[arg-type]
            batch_sampler=self.epochs,
            num_workers=workers,
            collate_fn=_collate_or_error,
            worker_init_fn=_start_worker,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
        )

    def batches(self, step: int) -> Iterator[Batch]:
        """Batches from the stage's step on."""
        epoch, start = divmod(step, self.epochs.steps)
        while True:
            if start == 0 and isinstance(self.pairs, FeaturePairs):
                self.pairs.cache.limit = None
                self.pairs.refresh()
            yield from self._epoch(epoch, start)
            epoch, start = epoch + 1, 0

    def _epoch(self, number: int, start: int) -> Iterator[Batch]:
        self.epochs.epoch, self.epochs.start = number, start
        source = iter(self._loader)
        while True:
            began = time.perf_counter()
            batch = self._next(source)
            self.waited += time.perf_counter() - began
            if batch is None:
                return
            if isinstance(batch, PytrackingETError):
                raise batch
            for message in batch.pop("broken"):
                if message not in self.broken:
                    self.broken.add(message)
                    log.warning("skipped: %s", message)
            yield batch

    def _next(self, source: Iterator[Any]) -> Any:
        """The next batch; None at the end.

        Raises:
            DatasetError: a worker has died, of which only its absence tells.
        """
        try:
            return next(source, None)
        except RuntimeError as error:
            if not self._loader.num_workers:
                raise
            raise DatasetError(
                f"a process that makes pairs has ended ({error}), as when memory or /dev/shm is "
                "full; make room, or take fewer with --set num_workers=N, and give the same "
                "command: it goes on from the last checkpoint"
            ) from error

    def state(self) -> dict[str, Any]:
        """Number of feature chunks in use."""
        return {"chunks": self.pairs.cache.chunks if isinstance(self.pairs, FeaturePairs) else 0}


def open_pairs(settings: Settings, stage: Stage, state: dict[str, Any]) -> PairSource:
    """Pair source of a stage.

    Args:
        state: of the checkpoint, {} at a fresh start.

    Raises:
        DatasetError: what the stage reads is not set or not there.
    """
    seed = settings.seed + hash_name(stage.name)
    if stage.source == "features":
        if settings.features is None:
            raise DatasetError(f"stage {stage.name!r} reads a feature cache; set features=FOLDER")
        return FeaturePairs(FeatureCache(settings.features, state.get("chunks") or None), seed)
    if stage.source == "crops":
        if settings.crops is None:
            raise DatasetError(f"stage {stage.name!r} reads a crop store; set crops=FOLDER")
        return CropPairs(CropStore(settings.crops, held_out=False), seed)
    raise DatasetError(
        f"stage {stage.name!r} reads data sets, from which no units, statistics (reestimate) or "
        "warm start (--teacher) are computed; leave them out"
    )


def hash_name(name: str) -> int:
    """A small number from a stage's name, so that stages draw different pairs."""
    return sum(name.encode())


_BATCH = 16


class PairValidation:
    """Mean overlap of the box at the highest score with the true one.

    No window and no penalty: this measures the network, and does not predict tracking (an
    untrained warm start scores 0.6 here); select on `ltr_et.tracking_validation`.

    Args:
        samples: pairs as `ltr_et.data.pairs` makes them, target present in each.
    """

    def __init__(self, samples: Sequence[Any]) -> None:
        chunks = [samples[i : i + _BATCH] for i in range(0, len(samples), _BATCH)]
        self.batches: list[Batch] = [collate(list(chunk)) for chunk in chunks]

    @torch.inference_mode()
    def __call__(self, net: Any) -> dict[str, float]:
        """`iou` mean overlap (0..1); `hit` share of pairs with an overlap above one half."""
        device = next(net.parameters()).device
        actor = ETActor(net).eval()
        overlaps = []
        for batch in self.batches:
            batch = {n: v.to(device) for n, v in batch.items() if torch.is_tensor(v)}
            outputs = actor.heads(*actor.features(net, batch))
            overlaps.append(best_overlap(outputs.logits, outputs.distances, batch["box"]).cpu())
        values = torch.cat(overlaps)
        return {"iou": float(values.mean()), "hit": float((values > 0.5).float().mean())}


def held_out_validation(crops: Path, count: int) -> PairValidation | None:
    """Validation on `count` pairs of a crop store's held-out clips; None where it holds none."""
    store = CropStore(crops, held_out=True)
    if not len(store):
        return None
    pairs = CropPairs(store, seed=1, negative=0, paste=False)
    return PairValidation([pairs[0, item] for item in range(count)])


def best_overlap(logits: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
    """IoU (B,) with boxes B x 4 of the box predicted at each map's highest score."""
    size = logits.shape[-1]
    shared, union = iou_of_distances(distances, side_distances(boxes, size))
    overlap = (shared / union.clamp_min(1e-6)).flatten(1)
    best = logits.flatten(1).argmax(1, keepdim=True)
    return overlap.gather(1, best)[:, 0]
