"""Validation on fixed pairs of held-out tracks: how good is the best-scored box?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..actors import Batch, ETActor
from ..actors.labels import side_distances
from ..losses import iou_of_distances

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
