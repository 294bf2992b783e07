"""Targets of the two maps from boxes (docs/method.md, section 7.2), for whole batches.

Cell i of a map of S cells looks at pixel (i - floor(S / 2)) * 16 + 8 * S of the search crop, the
grid of the tracker's loop (docs/method.md, section 6.2), whose crop is 16 * S pixels wide.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pytracking_et.network import STRIDE


class Labels(NamedTuple):
    """Targets of a batch.

    Attributes:
        score: B x S x S float, 1 at positives.
        distances: B x 4 x S x S left, top, right, bottom in pixels (negative outside the box).
        inside: B x S x S bool, cells inside the target's box.
        on_distractor: B x S x S float, 1 on other objects and not on the target.
    """

    score: Tensor
    distances: Tensor
    inside: Tensor
    on_distractor: Tensor


def grid(size: int, device: torch.device | None = None) -> Tensor:
    """Pixels (S,) that the cells of a row look at."""
    return (torch.arange(size, device=device) - size // 2) * STRIDE + size * STRIDE / 2.0


def side_distances(boxes: Tensor, size: int) -> Tensor:
    """Distances of every cell to the sides of boxes (..., 4) x, y, w, h -> (..., 4, S, S)."""
    points = grid(size, boxes.device)
    x, y, w, h = (value[..., None, None] for value in boxes.float().unbind(-1))
    column, row = points[None, :], points[:, None]
    sides = [column - x, row - y, x + w - column, y + h - row]
    return torch.stack(torch.broadcast_tensors(*sides), dim=-3)


def make_labels(
    boxes: Tensor,
    size: int,
    *,
    radius: int = 1,
    positive: Tensor | None = None,
    distractors: Tensor | None = None,
) -> Labels:
    """Targets for boxes B x 4 (x, y, w, h in search pixels) on maps of `size` cells.

    Args:
        radius: cells within this L1 distance of the cell nearest to the box's centre are positive.
        positive: B bool; False where the target is absent: no positive cell, no box.
        distractors: B x K x 4 boxes of other objects; rows without area are ignored.
    """
    boxes = boxes.float()
    centre = (boxes[:, :2] + boxes[:, 2:] / 2 - size * STRIDE / 2) / STRIDE
    cell = torch.round(centre) + size // 2
    index = torch.arange(size, device=boxes.device)
    steps_x = (index[None] - cell[:, :1]).abs()
    steps_y = (index[None] - cell[:, 1:]).abs()
    score = (steps_y[:, :, None] + steps_x[:, None, :] <= radius).float()
    distances = side_distances(boxes, size)
    inside = distances.amin(1) > 0
    if positive is not None:
        here = positive.bool()[:, None, None]
        score, inside = score * here, inside & here
    on_distractor = torch.zeros_like(score)
    if distractors is not None and distractors.shape[1]:
        area = (distractors[..., 2:] > 0).all(-1)[..., None, None]
        other = (side_distances(distractors, size).amin(2) > 0) & area
        on_distractor = (other.any(1) & ~inside).float() * (1 - score)
    return Labels(score, distances, inside, on_distractor)
