"""Targets of the two maps (docs/method.md, section 7.2), and losses on them: one value per sample.

Cell i of a map of S cells looks at pixel (i - floor(S / 2)) * 16 + 8 * S of the search crop, the
grid of the tracker's loop (docs/method.md, section 6.2), whose crop is 16 * S pixels wide.

Normalising within a sample (and not over the batch) makes the mean over two halves of a batch the
mean over the whole: gradient accumulation and several processes change nothing.

Shapes: logits and labels B x S x S; distances (left, top, right, bottom in search-crop pixels)
B x 4 x S x S. All losses compute in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
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


_TINY = 1e-6


def _mean_over(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over all but the first dimension; 0 where a sample's weights are all 0."""
    values, weights = values.flatten(1), weights.flatten(1)
    return (values * weights).sum(1) / weights.sum(1).clamp_min(_TINY)


def balanced_bce(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Half the mean over positive cells plus half the mean over negative cells -> B.

    A sample without positives (target absent) gives the half over its negatives only.

    Args:
        labels: 1 at positives, 0 elsewhere (LightTrack; docs/method.md, section 7.2).
        weights: cell weights >= 0 within each half; a cell of 0 is ignored.
    """
    labels = labels.float()
    weights = torch.ones_like(labels) if weights is None else weights.float()
    bce = F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
    positive = _mean_over(bce, labels * weights)
    negative = _mean_over(bce, (1 - labels) * weights)
    return 0.5 * positive + 0.5 * negative


def ranking(logits: Tensor, labels: Tensor, ignored: Tensor) -> Tensor:
    """-log of the positives' share in the softmax over cells -> B; 0 without positives.

    The tracker follows the highest cell, and BCE is content with a target at 0.9 beside a
    look-alike at 0.95; this is not.

    Args:
        ignored: B x S x S bool, cells that count on neither side (the rest of the target).
    """
    logits = logits.float().flatten(1)
    positive = labels.flatten(1) > 0
    counted = positive | ~ignored.flatten(1)
    least = torch.finfo(logits.dtype).min
    everything = torch.logsumexp(logits.masked_fill(~counted, least), 1)
    target = torch.logsumexp(logits.masked_fill(~positive, least), 1)
    return (everything - target) * positive.any(1)


def iou_of_distances(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """(intersection, union) in square pixels, each B x S x S, of boxes seen from the same cell."""
    first, second = first.float(), second.float()
    low = torch.minimum(first, second)
    shared = (low[:, 0] + low[:, 2]).clamp_min(0) * (low[:, 1] + low[:, 3]).clamp_min(0)
    area_first = (first[:, 0] + first[:, 2]) * (first[:, 1] + first[:, 3])
    area_second = (second[:, 0] + second[:, 2]) * (second[:, 1] + second[:, 3])
    return shared, area_first + area_second - shared


def iou_loss(distances: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """-log((I + 1) / (U + 1)) averaged with `weights` (B x S x S) -> B.

    See docs/method.md, section 7.2.
    """
    shared, union = iou_of_distances(distances, target)
    return _mean_over(torch.log((union + 1) / (shared + 1)), weights.float())


def distill_scores(logits: Tensor, teacher: Tensor) -> Tensor:
    """BCE to the teacher's probabilities p (B x S x S), half weighted p, half 1 - p -> B.

    Without the halves 250 background cells would drown the few that matter.
    """
    p = teacher.float()
    bce = F.binary_cross_entropy_with_logits(logits.float(), p, reduction="none")
    # The teacher's own entropy is no error of the student's: without it a perfect copy gives 0.
    # Not F.binary_cross_entropy: autocast refuses it on CUDA.
    floor = -torch.xlogy(p, p) - torch.xlogy(1 - p, 1 - p)
    excess = bce - floor
    return 0.5 * _mean_over(excess, p) + 0.5 * _mean_over(excess, 1 - p)


# Overlap with the truth from which a teacher's box is right.
LEAST_IOU = 0.5


def distill_boxes(
    distances: Tensor, teacher: Tensor, scores: Tensor, target: Tensor,
    believed: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """IoU loss to the teacher's boxes where those are right, weighted by its scores -> B.

    Args:
        teacher: the teacher's distances, B x 4 x S x S.
        scores: the teacher's probabilities, B x S x S.
        target: true distances; only cells where the teacher's box is right count.
        believed: B bool, samples whose teacher is right everywhere, for want of a truth.
    """
    shared, union = iou_of_distances(teacher, target)
    right = shared / union.clamp_min(_TINY) > LEAST_IOU
    if believed is not None:
        right = right | believed[:, None, None]
    return iou_loss(distances, teacher, right * scores.float())


def hint(features: Tensor, teacher: Tensor) -> Tensor:
    """Mean square difference of layer outputs (B, ...) over the teacher's variance there -> B."""
    features, teacher = features.float().flatten(1), teacher.float().flatten(1)
    variance = teacher.var(1, unbiased=False).clamp_min(_TINY)
    return (features - teacher).square().mean(1) / variance
