"""Precision, recall and F of trackers that say whether the target is present (Lukezic 2018).

At a threshold t the tracker reports the frames whose presence score is at least t. Precision is
the mean IoU of the reported frames (0 where the target is absent), recall the mean IoU over the
frames with a visible target (0 where nothing is reported); both are averaged over sequences, and
F is their harmonic mean, its maximum over t being the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ResultsError
from .boxfiles import Array
from .metrics import Annotation, align, frame_errors

STEPS = 100


@dataclass(frozen=True)
class FScore:
    """Curves over thresholds: precision, recall, f (0..1); index: where f is highest."""

    precision: Array
    recall: Array
    f: Array
    thresholds: Array
    index: int


def score_longterm(
    predictions: Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]],
    presence: Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]],
    annotation: Annotation,
) -> FScore:
    """Score one tracker.

    Args:
        predictions: sequence -> (frames, 4), or a list of such, one a run: at each threshold
            precision and recall are averaged over the runs.
        presence: sequence -> (frames,) scores, or a list of such, in the same order.
        annotation: ground truth with visibility.

    Raises:
        ResultsError: a sequence has no presence scores, or another number than boxes.
    """
    runs = [predictions] if isinstance(predictions, Mapping) else list(predictions)
    heard = [presence] if isinstance(presence, Mapping) else list(presence)
    scores = [_scores(one, annotation) for one in heard]
    thresholds = np.unique(np.quantile(np.concatenate(scores), np.linspace(0, 1, STEPS)))
    each = [
        _curves(
            frame_errors(align(run, annotation).boxes, annotation).overlap,
            one,
            thresholds,
            annotation,
        )
        for run, one in zip(runs, scores, strict=True)
    ]
    precision, recall = np.mean(each, axis=0)
    both = precision + recall
    f = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return FScore(precision, recall, f, thresholds, int(np.argmax(f)))


def _curves(
    quality: Array, scores: Array, thresholds: Array, annotation: Annotation
) -> tuple[Array, Array]:
    """Precision and recall of one run at each threshold; quality: IoU, -1 where invalid."""
    quality = np.maximum(quality, 0)
    precision, recall = np.zeros(len(thresholds)), np.zeros(len(thresholds))
    offsets, counted = annotation.truth.offsets, 0
    for begin, end in zip(offsets[:-1], offsets[1:], strict=True):
        reported = scores[begin:end, None] >= thresholds
        hits = (quality[begin:end, None] * reported).sum(axis=0)
        number = reported.sum(axis=0)
        # Nothing reported is never wrong: precision 1, as in VOT-LT.
        precision += np.divide(hits, number, out=np.ones_like(hits), where=number > 0)
        visible = annotation.valid[begin:end].sum()
        if visible:
            recall += hits / visible
            counted += 1
    return precision / (len(offsets) - 1), recall / max(counted, 1)


def _scores(presence: Mapping[str, ArrayLike], annotation: Annotation) -> Array:
    parts = []
    for name, frames in zip(annotation.truth.names, annotation.lengths, strict=True):
        if name not in presence:
            raise ResultsError(
                f"sequence {name!r} has no presence scores (_object_presence_scores.txt); "
                "F needs a tracker that reports them"
            )
        one = np.asarray(presence[name], dtype=np.float64).reshape(-1)
        if len(one) != frames:
            raise ResultsError(f"sequence {name!r}: {len(one)} presence scores, {frames} frames")
        parts.append(one)
    return np.concatenate(parts)
