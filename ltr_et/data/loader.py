"""Batches of pairs in an order that depends on the seed alone.

Batch b of process r out of W holds the items (b W + r) B ... + B - 1 of the epoch, so W processes
with batches of B see in each step what one process with batches of W B sees.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from pytracking_et.errors import ParameterError

from .pairs import Sample

log = logging.getLogger(__name__)

Batch = dict[str, torch.Tensor]


class PairSource(Protocol):
    """What a loader reads: `pairs[epoch, item]` is one sample (see `pairs`)."""

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """Sample `item` of epoch `epoch`."""
        ...


class EpochBatches:
    """Keys (epoch, item) of one process's batches; set `epoch` and `start` before iterating."""

    def __init__(self, samples: int, batch: int, rank: int = 0, world: int = 1) -> None:
        if not (samples >= batch * world and batch > 0 and 0 <= rank < world):
            raise ParameterError(
                f"{samples} samples an epoch, batch {batch}, process {rank} of {world}: "
                "an epoch must hold at least one batch of every process"
            )
        self.batch, self.rank, self.world = batch, rank, world
        self.steps = samples // (batch * world)
        self.epoch = 0
        self.start = 0

    def __len__(self) -> int:
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in range(self.start, self.steps):
            first = (step * self.world + self.rank) * self.batch
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


def _start_worker(_: int) -> None:
    # One thread each: workers are there to use the cores that the trainer leaves.
    cv2.setNumThreads(1)
    # A terminal's Ctrl-C and a batch system's SIGTERM reach all processes of a run: the trainer
    # alone decides, and needs its workers until it has saved. They end when it does.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


class PairLoader:
    """Endless supply of batches, epoch by epoch.

    Args:
        pairs: `CropPairs`, `FeaturePairs` or `TrackingSampler`.
        samples: pairs of an epoch over all processes.
        batch: pairs of a batch of this process.
        workers: processes that make samples (spawned); 0 makes them in this one. Cached features
            are read faster than they can be sent between processes: use 0 there.
        rank: number of this process.
        world: number of all processes.

    Attributes:
        waited: seconds spent waiting for batches since the loader was made.
        broken: messages of the images that could not be read, each logged once.
        skipped: draws that met a broken image.

    Raises:
        ParameterError: an epoch shorter than one batch of every process.
    """

    def __init__(
        self, pairs: PairSource, samples: int, batch: int, workers: int = 0, rank: int = 0,
        world: int = 1,
    ) -> None:  # fmt: skip
        self.pairs = pairs
        self.batches = EpochBatches(samples, batch, rank, world)
        self.waited = 0.0
        self.skipped = 0
        self.broken: set[str] = set()
        self._loader: DataLoader[Any] = DataLoader(
            pairs,  # type: ignore[arg-type]
            batch_sampler=self.batches,
            num_workers=workers,
            collate_fn=collate,
            worker_init_fn=_start_worker,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
        )

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return self.batches.steps

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Batches `start`, `start` + 1, ... of epoch `number`."""
        self.batches.epoch, self.batches.start = number, start
        source = iter(self._loader)
        while True:
            began = time.perf_counter()
            batch = next(source, None)
            self.waited += time.perf_counter() - began
            if batch is None:
                return
            self._report(batch.pop("broken"))
            yield batch

    def _report(self, messages: list[str]) -> None:
        self.skipped += len(messages)
        for message in messages:
            if message not in self.broken:
                self.broken.add(message)
                log.warning("skipped: %s", message)
