"""What a run reads: a stage's feature cache or crop store, and the held-out pairs of validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pytracking_et.errors import DatasetError

from ..actors import Batch, ETActor
from ..data.crops import CropStore
from ..data.features import FeatureCache
from ..data.loader import PairLoader
from ..data.pairs import CropPairs, FeaturePairs, PairSettings
from ..losses import iou_of_distances, side_distances
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


_BATCH = 16


class PairValidation:
    """Mean overlap of the box at the highest score with the true one.

    No window and no penalty: this measures the network, and does not predict tracking (an
    untrained warm start scores 0.6 here); select on `ltr_et.tracking_validation`.

    Args:
        samples: pairs as `ltr_et.data.pairs` makes them, target present in each.
    """

    def __init__(self, samples: Sequence[Any]) -> None:
        from ..data.loader import collate

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


def best_overlap(logits: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
    """IoU (B,) with boxes B x 4 of the box predicted at each map's highest score."""
    size = logits.shape[-1]
    shared, union = iou_of_distances(distances, side_distances(boxes, size))
    overlap = (shared / union.clamp_min(1e-6)).flatten(1)
    best = logits.flatten(1).argmax(1, keepdim=True)
    return overlap.gather(1, best)[:, 0]
