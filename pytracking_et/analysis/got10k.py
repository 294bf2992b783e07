"""GOT-10k's figures: AO, SR50, SR75 (Huang et al., TPAMI 2021).

By the toolkit: the first frame is not counted, frames where the target cannot be seen are not
counted, boxes are cut at the image border where its size is known, and all frames of all
sequences (and of all runs) weigh the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ResultsError
from ..results.names import Matcher
from . import metrics
from .boxfiles import Array, BoxSet
from .metrics import Annotation
from .rules import refuse_hidden

THRESHOLDS: Array = np.arange(101) / 100


@dataclass(frozen=True)
class GotScore:
    """ao, sr50, sr75 in percent; per_sequence: the same per sequence, with `frames` counted;
    curve: (101,) success rate 0..1 at THRESHOLDS.
    """

    ao: float
    sr50: float
    sr75: float
    per_sequence: pd.DataFrame
    curve: Array


def score_got10k(
    runs: Mapping[str, ArrayLike] | Sequence[Mapping[str, ArrayLike]],
    ground_truth: Mapping[str, ArrayLike],
    visible: Mapping[str, ArrayLike] | None = None,
    image_sizes: Mapping[str, tuple[int, int]] | None = None,
    dataset: str = "got10k_val",
) -> GotScore:
    """Score one tracker by GOT-10k's figures.

    Args:
        runs: predictions sequence -> (frames, 4), or a list of such, one a run.
        ground_truth: sequence -> (frames, 4); non-positive or NaN rows are not counted.
        visible: sequence -> (frames,); GOT-10k's cover label > 0.
        image_sizes: sequence -> (width, height), to cut boxes at the border as the toolkit does.
        dataset: refused where its ground truth is hidden ("got10k_test").

    Raises:
        ResultsError: as `score`, and where no frame is left to count.
        DatasetError: as `score`.
    """
    refuse_hidden(dataset)
    annotation = Annotation.build(ground_truth, "got10k_val", "ettrack", visible)
    several = [runs] if isinstance(runs, Mapping) else list(runs)
    counted = annotation.valid.copy()
    counted[annotation.truth.offsets[:-1]] = False
    owner = annotation.owner[counted]
    if not owner.size:
        raise ResultsError("no frame to count: every sequence has one frame or none visible")
    border = _border(annotation.truth, image_sizes)
    truth = _cut(annotation.truth.boxes, border)[counted]
    shared = [
        metrics.overlap(_cut(metrics.align(run, annotation).boxes, border)[counted], truth)
        for run in several
    ]
    values = np.nan_to_num(np.stack(shared))
    counts = np.bincount(owner, minlength=len(annotation.truth))

    def per_sequence(quality: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            sums = np.bincount(owner, quality.mean(axis=0), len(annotation.truth))
            return 100 * sums / counts

    table = pd.DataFrame(
        {
            "ao": per_sequence(values),
            "sr50": per_sequence((values > 0.5).astype(float)),
            "sr75": per_sequence((values > 0.75).astype(float)),
            "frames": counts,
        },
        index=pd.Index(annotation.truth.names, name="sequence"),
    )
    return GotScore(
        ao=100 * float(values.mean()),
        sr50=100 * float((values > 0.5).mean()),
        sr75=100 * float((values > 0.75).mean()),
        per_sequence=table,
        curve=np.array([(values > threshold).mean() for threshold in THRESHOLDS]),
    )


def _border(truth: BoxSet, sizes: Mapping[str, tuple[int, int]] | None) -> NDArray | None:
    """(frames, 2) width and height of the image, infinite where it is not known."""
    if sizes is None:
        return None
    matcher = Matcher(sizes)
    found = [matcher.find(name) for name in truth.names]
    rows = [sizes[name] if name else (np.inf, np.inf) for name in found]
    return np.repeat(np.array(rows, float), np.diff(truth.offsets), axis=0)


def _cut(boxes: Array, border: NDArray | None) -> Array:
    if border is None:
        return boxes
    corner = np.clip(boxes[:, :2], 0, border)
    # As the toolkit: the corner moves in, the size stays unless it reaches over the far border.
    return np.hstack([corner, np.clip(boxes[:, 2:], 0, border - corner)])
