"""Data of a stage: feature cache or crop store behind the trainer's `Data` interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytracking_et.errors import DatasetError

from ..actors import Batch
from ..data.crops import CropStore
from ..data.features import FeatureCache
from ..data.loader import PairLoader
from ..data.pairs import CropPairs, FeaturePairs, PairSettings
from ..settings import Settings, Stage
from .distributed import Group

# Pairs of an epoch; only the bounds at which new feature chunks are taken in.
EPOCH = 4096


class PairData:
    """Endless batches of a stage from a `PairLoader`.

    Args:
        pairs: pair source; a `FeaturePairs` is refreshed between epochs.
    """

    def __init__(self, pairs: Any, stage: Stage, settings: Settings, group: Group) -> None:
        if stage.batch % group.world:
            raise DatasetError(
                f"batch {stage.batch} cannot be shared by {group.world} processes; "
                "set stages.N.batch to a multiple"
            )
        self.pairs = pairs
        batch = stage.batch // group.world
        workers = 0 if stage.source == "features" else settings.num_workers
        self.loader = PairLoader(
            pairs,
            max(stage.batch, min(EPOCH, stage.samples)),
            batch,
            workers,
            group.rank,
            group.world,
        )

    @property
    def waited(self) -> float:
        """Seconds spent waiting for batches so far."""
        return self.loader.waited

    def batches(self, step: int) -> Iterator[Batch]:
        """Batches from the stage's step on."""
        epoch, start = divmod(step, len(self.loader))
        if start == 0:
            self._refresh()
        while True:
            yield from self.loader.epoch(epoch, start)
            epoch, start = epoch + 1, 0
            self._refresh()

    def _refresh(self) -> None:
        if isinstance(self.pairs, FeaturePairs):
            self.pairs.cache.limit = None
            self.pairs.refresh()

    def state(self) -> dict[str, Any]:
        """Number of feature chunks in use, and images that could not be read."""
        chunks = self.pairs.cache.chunks if isinstance(self.pairs, FeaturePairs) else 0
        return {"chunks": chunks, "skipped": self.loader.skipped}


def open_pairs(settings: Settings, stage: Stage, state: dict[str, Any]) -> Any:
    """Pair source of a stage.

    Args:
        state: of the checkpoint, {} at a fresh start.

    Raises:
        DatasetError: what the stage reads is not set or not there.
    """
    drawn = PairSettings(seed=settings.seed + hash_name(stage.name))
    if stage.source == "features":
        if settings.features is None:
            raise DatasetError(f"stage {stage.name!r} reads a feature cache; set features=FOLDER")
        return FeaturePairs(FeatureCache(settings.features, state.get("chunks") or None), drawn)
    if stage.source == "crops":
        if settings.crops is None:
            raise DatasetError(f"stage {stage.name!r} reads a crop store; set crops=FOLDER")
        return CropPairs(CropStore(settings.crops, held_out=False), drawn)
    raise DatasetError(
        f"stage {stage.name!r} reads data sets; its settings script has to open them"
    )


def hash_name(name: str) -> int:
    """A small number from a stage's name, so that stages draw different pairs."""
    return sum(name.encode())
