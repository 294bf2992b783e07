"""Predictions and ground truth in, the figures of a benchmark out: `score`, `score_got10k`.

GOT-10k's figures are AO, SR50, SR75 (Huang et al., TPAMI 2021). By the toolkit: the first frame is
not counted, frames where the target cannot be seen are not counted, boxes are cut at the image
border where its size is known, one without area is a miss, and all frames of all sequences (and of
all runs) weigh the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ResultsError
from ..results.names import Matcher
from . import metrics
from .metrics import Annotation, Array, Curves
from .readers import BoxSet
from .rules import family, refuse_hidden

# Index of the threshold each figure is read at: 20 px, 0.2, IoU 0.5 and 0.75.
_CENTER_AT, _NORM_AT = 20, 20
FIGURES = ("auc", "op50", "op75", "precision", "norm_precision")
# Of GOT-10k's success curve.
THRESHOLDS: Array = np.arange(101) / 100


@dataclass(frozen=True)
class Score:
    """Figures of one tracker on one data set, all in percent.

    Attributes:
        auc: mean of the success curve.
        op50: success at IoU 0.5; NaN where the threshold grid has no such point.
        op75: success at IoU 0.75; NaN likewise.
        precision: center error <= 20 px.
        norm_precision: normalized center error <= 0.2.
        per_sequence: frame indexed by sequence: the five figures, `ao` (mean IoU of valid
            frames, percent), `frames`, `valid`, `predicted` (rows given).
        curves: hit rates per sequence and threshold, for plots.
        dataset: its name.
        rule: its name.
        note: one sentence that belongs under every table and plot.
    """

    auc: float
    precision: float
    norm_precision: float
    op50: float
    op75: float
    per_sequence: pd.DataFrame = field(repr=False)
    curves: Curves = field(repr=False)
    dataset: str
    rule: str
    note: str

    @property
    def rows_note(self) -> str:
        """What to say of results with more or fewer rows than their annotation; mostly nothing."""
        table = self.per_sequence
        text = metrics.rows_that_differ(map(str, table.index), table["predicted"], table["frames"])
        return f"ROWS DIFFER: {text}" if text else ""

    def as_dict(self) -> dict[str, float]:
        """The five figures by name, in the order of tables."""
        return {name: getattr(self, name) for name in FIGURES}


def score(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, ArrayLike],
    dataset: str = "otb",
    rule: str = "pytracking",
    visible: Mapping[str, ArrayLike] | None = None,
) -> Score:
    """Score a tracker the way pytracking does.

    Args:
        predictions: sequence -> (frames, 4) boxes x, y, w, h in pixels. The first row is replaced
            by the ground truth; a box with w or h = 0 repeats the one before where the ground
            truth is no NaN; missing rows at the end count as zeros (an error on LaSOT), surplus
            rows are cut, and both are warned of. Names may be spelled Jogging-1, Jogging.1 or
            Jogging_1, with or without pytracking's prefix (`uav_`). Sequences that are not in
            `ground_truth` are ignored.
        ground_truth: sequence -> (frames, 4); NaN or non-positive = target absent.
        dataset: "otb", "uav", "lasot", "nfs", "dtb70", ...; decides what absent frames count
            (UAV123: a precision hit; LaSOT: a miss; elsewhere a precision miss; normalized
            precision counts them as hits everywhere but on LaSOT).
        rule: "pytracking", "ettrack" or "lasot-toolkit" (`rules`).
        visible: sequence -> (frames,) flags; LaSOT's figures need them.

    Raises:
        ResultsError: a sequence has no predictions, or too few on LaSOT, or a box is NaN, infinite
            or of negative size (sequence and row are named).
        DatasetError: empty or hidden ground truth, or flags that do not fit.
        ParameterError: unknown rule.
    """
    annotation = Annotation.build(ground_truth, dataset, rule, visible)
    return score_annotated(predictions, annotation)


def score_annotated(
    predictions: Mapping[str, ArrayLike],
    annotation: Annotation,
    gap: float = 0.05,
    exclude_invalid_frames: bool = False,
) -> Score:
    """`score` with the ground truth prepared once, for many trackers."""
    warn_visibility(annotation)
    aligned = metrics.align(predictions, annotation)
    errors = metrics.frame_errors(aligned.boxes, annotation)
    curves = metrics.curves(errors, annotation, gap, exclude_invalid_frames)
    index = pd.Index(annotation.truth.names, name="sequence")
    table = pd.DataFrame(figures_of(curves), index=index)
    table["frames"] = annotation.lengths
    table["valid"] = annotation.valid_counts()
    table["predicted"] = aligned.given
    # Sequences without a valid frame have no figures when invalid frames are excluded.
    figures = {name: float(table[name].mean()) for name in FIGURES}
    return Score(
        **figures,
        per_sequence=table,
        curves=curves,
        dataset=annotation.dataset,
        rule=annotation.rule.name,
        note=note(annotation, exclude_invalid_frames),
    )


def figures_of(curves: Any) -> dict[str, Array]:
    """FIGURES and "ao", percent, of `Curves` or of anything with the same arrays.

    Thresholds are the last axis of the curves.
    """

    def at(overlap: float) -> Array:
        where = np.flatnonzero(np.isclose(curves.thresholds, overlap, atol=1e-9))
        if where.size == 0:
            return np.full(curves.success.shape[:-1], np.nan)
        return curves.success[..., where[0]]

    rates = {
        "auc": curves.success.mean(axis=-1),
        "op50": at(0.50),
        "op75": at(0.75),
        "precision": curves.precision[..., _CENTER_AT],
        "norm_precision": curves.norm_precision[..., _NORM_AT],
        "ao": curves.average_overlap,
    }
    return {name: 100 * values for name, values in rates.items()}


def note(annotation: Annotation, exclude_invalid_frames: bool = False) -> str:
    """The sentence that says how the figures came about."""
    parts = [f"{annotation.dataset}, {len(annotation.truth)} sequences", annotation.rule.text]
    absent = len(annotation.valid) - int(annotation.valid.sum())
    parts.append(
        f"{absent} of {len(annotation.valid)} frames invalid, "
        + ("excluded" if exclude_invalid_frames else "part of the frame counts")
    )
    if _lacks_visibility(annotation):
        parts.append("VISIBILITY FLAGS MISSING, not comparable with published figures")
    return "; ".join(parts)


def warn_visibility(annotation: Annotation) -> None:
    """Warn that LaSOT without its visibility flags gives other figures than everybody's."""
    if _lacks_visibility(annotation):
        warnings.warn(
            f"{annotation.dataset} is scored without visibility flags (full_occlusion.txt, "
            "out_of_view.txt): frames with a hidden target count as visible and the figures "
            "differ from published ones; pass visible=",
            stacklevel=3,
        )


def _lacks_visibility(annotation: Annotation) -> bool:
    return family(annotation.dataset) == "lasot" and not annotation.visibility


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
    if not several:
        raise ResultsError("no runs to score; give the predictions of one at least")
    counted = annotation.valid.copy()
    counted[annotation.truth.offsets[:-1]] = False
    owner = annotation.owner[counted]
    if not owner.size:
        raise ResultsError("no frame to count: every sequence has one frame or none visible")
    border = _border(annotation.truth, image_sizes)
    truth = _cut(annotation.truth.boxes, border)[counted]
    aligned = (metrics.align(run, annotation, repeats=False).boxes for run in several)
    shared = [metrics.overlap(_cut(boxes, border)[counted], truth) for boxes in aligned]
    values = np.nan_to_num(np.stack(shared))
    quality = {"ao": values, "sr50": values > 0.5, "sr75": values > 0.75}
    counts = np.bincount(owner, minlength=len(annotation.truth))

    table = pd.DataFrame(index=pd.Index(annotation.truth.names, name="sequence"))
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, one in quality.items():
            table[name] = 100 * np.bincount(owner, one.mean(axis=0), len(counts)) / counts
    table["frames"] = counts
    return GotScore(
        **{name: 100 * float(one.mean()) for name, one in quality.items()},
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
    near = np.where(np.isfinite(border), 0, -np.inf)  # where the size is not known: not cut
    corner = np.clip(boxes[:, :2], near, border)
    # As the toolkit: the corner moves in, the size stays unless it reaches over the far border.
    return np.hstack([corner, np.clip(boxes[:, 2:], 0, border - corner)])
