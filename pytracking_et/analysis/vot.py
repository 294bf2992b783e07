"""VOT's figures: accuracy, robustness, expected average overlap (EAO); of long-term tracking F.

Two protocols of short-term tracking are here; both tell what they did in `note`:

* `score_supervised`: results of VOT2013-2019, where the tracker is reset five frames after it
  loses the target (Kristan et al., VOT2018 challenge results, section 2). Overlap is exact
  polygon overlap; the MATLAB toolkit counts pixels, so the last digits may differ.
* `score_from_start`: one run per sequence without resets, as this package's harness makes them,
  by the definitions of VOT2020 (section 2 there). VOT2020 starts at several anchors per sequence:
  those figures are the vot-toolkit's business (`ettrack vot-init`), and these are not comparable
  with published ones, only with each other.

`score_longterm`: precision, recall and F of trackers that say whether the target is present
(Lukezic 2018). At a threshold t the tracker reports the frames whose presence score is at least t.
Precision is the mean IoU of the reported frames (0 where the target is absent), recall the mean IoU
over the frames with a visible target (0 where nothing is reported); both are averaged over
sequences, and F is their harmonic mean, its maximum over t being the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..boxtables import PathArgument
from ..errors import DatasetError, ResultsError
from ..files import reading
from . import metrics
from .metrics import Annotation, Array, align, frame_errors

# What a line with one number says in a VOT result file.
SKIPPED, STARTED, FAILED = 0.0, 1.0, 2.0
# Thresholds of the presence score at which precision and recall are taken.
STEPS = 100


@dataclass(frozen=True)
class VotScore:
    """Figures of one tracker.

    Attributes:
        accuracy: mean overlap, 0..1.
        robustness: see `note`.
        failures: in all, mean of runs.
        eao: 0..1.
        curve: expected overlap for sequences of 1, 2, ... frames.
        per_sequence: accuracy, failures (or robustness) and frames by sequence.
        note: protocol, interval and burn-in.
    """

    accuracy: float
    robustness: float
    failures: float
    eao: float
    curve: Array
    per_sequence: pd.DataFrame
    note: str

    def as_dict(self) -> dict[str, float]:
        """accuracy, robustness, failures, eao."""
        return {k: getattr(self, k) for k in ("accuracy", "robustness", "failures", "eao")}


def read_supervised(path: PathArgument) -> list[Array]:
    """Read a reset-based result file: per frame one code, or a region of 4 or 8 (or more) numbers.

    Raises:
        ResultsError: a line that is neither; names the row.
    """
    source = Path(path)
    rows = []
    with reading(source, ResultsError, "expected the text file that a VOT toolkit wrote"):
        lines = source.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = np.array([float(v) for v in line.replace("\t", ",").split(",")])
        except ValueError:
            row = np.zeros(0)
        if row.size not in (1, 4) and (row.size < 6 or row.size % 2):
            raise ResultsError(f"{source}, row {number}: {line[:60]!r} is no code and no region")
        if row.size == 1 and row[0] not in (SKIPPED, STARTED, FAILED):
            raise ResultsError(f"{source}, row {number}: code {line!r}; expected 0, 1 or 2")
        rows.append(row)
    return rows


def region_overlap(first: Array, second: Array) -> float:
    """IoU of two regions, each x, y, w, h or the corners of a convex polygon.

    A region with NaN or infinity overlaps nothing.
    """
    import cv2

    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    a, b = (_corners(one).astype(np.float32) for one in (first, second))
    areas = [cv2.contourArea(a), cv2.contourArea(b)]
    if min(areas) <= 0:
        return 0.0
    shared, _ = cv2.intersectConvexConvex(a, b)
    return float(min(1.0, shared / (sum(areas) - shared)))


def _corners(region: Array) -> Array:
    if region.size != 4:
        return region.reshape(-1, 2)
    x, y, w, h = region
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])


def score_supervised(
    results: Mapping[str, Sequence[Sequence[ArrayLike]]],
    ground_truth: Mapping[str, ArrayLike],
    interval: tuple[int, int] = (100, 356),
    burn_in: int = 10,
) -> VotScore:
    """Score reset-based results.

    Args:
        results: sequence -> runs, each a list of rows as `read_supervised` gives them.
        ground_truth: sequence -> (frames, 4) or (frames, 8) regions.
        interval: sequence lengths the EAO is averaged over; 100 to 356 is VOT2018's.
        burn_in: frames after a start that accuracy leaves out, 10 in VOT.

    Returns:
        robustness: failures per 100 frames.
    """
    table, fragments, pooled = [], [], []
    for name, truth in ground_truth.items():
        regions = np.asarray(truth, dtype=np.float64)
        if not results.get(name):
            raise ResultsError(f"no supervised results for sequence {name!r}")
        lost = []
        overlaps = []
        for run in results[name]:
            if len(run) != len(regions):
                raise ResultsError(
                    f"sequence {name!r}: {len(run)} rows for {len(regions)} annotated frames"
                )
            codes, quality = _trajectory(run, regions)
            overlaps.append(_after_burn_in(codes, quality, burn_in))
            lost.append(int((codes == FAILED).sum()))
            fragments += _fragments(codes, quality)
        measured = np.concatenate(overlaps)
        measured = measured[np.isfinite(measured)]
        pooled.append(measured)
        table.append((_mean(measured), float(np.mean(lost)), len(regions)))
    frame = pd.DataFrame(
        table,
        index=pd.Index(ground_truth, name="sequence"),
        columns=["accuracy", "failures", "frames"],
    )
    curve = _expected_overlap(fragments, max(interval[1], 1))
    failures = float(frame["failures"].sum())
    return VotScore(
        accuracy=_mean(np.concatenate(pooled)),
        robustness=100 * failures / float(frame["frames"].sum()),
        failures=failures,
        eao=_mean(curve[interval[0] - 1 : interval[1]]),
        curve=curve,
        per_sequence=frame,
        note=f"VOT supervised (reset-based), {len(frame)} sequences; robustness: failures per 100 "
        f"frames; burn-in {burn_in}; EAO over lengths {interval[0]}..{interval[1]}",
    )


def _trajectory(run: Sequence[ArrayLike], truth: Array) -> tuple[Array, Array]:
    """Per frame the code (NaN where tracked) and the overlap (NaN where not tracked)."""
    codes = np.full(len(run), np.nan)
    quality = np.full(len(run), np.nan)
    for i, row in enumerate(run):
        values = np.asarray(row, dtype=np.float64).reshape(-1)
        if values.size == 1:
            codes[i] = values[0]
        elif np.isfinite(truth[i]).all():
            quality[i] = region_overlap(values, truth[i])
    return codes, quality


def _after_burn_in(codes: Array, quality: Array, burn_in: int) -> Array:
    kept = quality.copy()
    for start in np.flatnonzero(codes == STARTED):
        kept[start : start + burn_in] = np.nan
    return kept


def _fragments(codes: Array, quality: Array) -> list[tuple[Array, bool]]:
    """Overlaps from each start to the failure (True) or the end of the sequence (False).

    The frame of the start itself is given to the tracker and not part of it.
    """
    parts = []
    for start in np.flatnonzero(codes == STARTED):
        later = np.flatnonzero(codes[start:] == FAILED)
        end = start + later[0] if later.size else len(codes)
        parts.append((quality[start + 1 : end], bool(later.size)))
    return parts


def _expected_overlap(fragments: Sequence[tuple[Array, bool]], longest: int) -> Array:
    """(longest,) mean overlap of the first N frames, over the fragments that tell about N frames.

    A lost target counts zero for ever; a sequence that ends tells nothing of longer ones.
    """
    total, count = np.zeros(longest), np.zeros(longest)
    for quality, lost in fragments:
        known = longest if lost else min(len(quality), longest)
        padded = np.zeros(known)
        part = np.nan_to_num(quality[:known])
        padded[: len(part)] = part
        total[:known] += np.cumsum(padded) / np.arange(1, known + 1)
        count[:known] += 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / count


def score_from_start(
    predictions: Mapping[str, ArrayLike],
    ground_truth: Mapping[str, ArrayLike],
    interval: tuple[int, int] = (115, 755),
    threshold: float = 0.1,
    grace: int = 10,
) -> VotScore:
    """Score one run per sequence, boxes, no resets.

    The tracker has failed at the first of `grace` frames in a row with an overlap of at most
    `threshold` (VOT2020, section 2.2). Accuracy is the mean overlap before that, robustness the
    share of frames before it, EAO the expected overlap averaged over the lengths of `interval`
    as far as the sequences reach.

    Raises:
        ResultsError: missing or invalid predictions, as `score`.
        DatasetError: no sequence reaches into the interval.
    """
    annotation = Annotation.build(ground_truth, "vot", "ettrack")
    boxes = metrics.align(predictions, annotation, repeats=False).boxes
    quality = metrics.frame_errors(boxes, annotation).overlap
    quality[~annotation.valid] = np.nan
    table, fragments, pooled = [], [], []
    parts = np.split(quality, annotation.truth.offsets[1:-1])
    for name, part in zip(annotation.truth.names, parts, strict=True):
        one = part[1:]
        failure = _first_failure(one, threshold, grace)
        stop = len(one) if failure is None else failure
        fragments.append((one[:stop], failure is not None))
        tracked = one[:stop][np.isfinite(one[:stop])]
        pooled.append(tracked)
        share = stop / len(one) if len(one) else 1.0
        table.append((name, _mean(tracked), share, int(failure is not None), len(one) + 1))
    columns = ["sequence", "accuracy", "robustness", "failures", "frames"]
    frame = pd.DataFrame(table, columns=columns).set_index("sequence")
    curve = _expected_overlap(fragments, interval[1])
    span = curve[interval[0] - 1 : interval[1]]
    # Not by the curve: it counts a failure, which stays one, for every length.
    if frame["frames"].max() <= interval[0]:
        raise DatasetError(
            f"no sequence has {interval[0]} frames after its first, so there is no EAO over "
            f"lengths {interval[0]}..{interval[1]}; `score_from_start` takes a shorter interval"
        )
    weights = np.maximum(frame["frames"] - 1, 0)
    return VotScore(
        accuracy=_mean(np.concatenate(pooled)),
        robustness=float(np.average(frame["robustness"], weights=np.maximum(weights, 1))),
        failures=float(frame["failures"].sum()),
        eao=_mean(span),
        curve=curve,
        per_sequence=frame,
        note=f"VOT2020 definitions on one run from the first frame (no anchors), {len(frame)} "
        f"sequences; robustness: share of frames before failure; failure: {grace} frames in a row "
        f"with IoU <= {threshold}; EAO over lengths {interval[0]}..{interval[1]}",
    )


def _first_failure(quality: Array, threshold: float, grace: int) -> int | None:
    """First frame of the first `grace` consecutive frames at or below the threshold."""
    run = 0
    for i, value in enumerate(quality):
        # An absent target (NaN) neither fails the tracker nor saves it.
        if np.isnan(value):
            continue
        run = run + 1 if value <= threshold else 0
        if run == 1:
            begin = i
        if run >= grace:
            return begin
    return None


def _mean(values: NDArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


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
        ResultsError: a sequence has no presence scores, another number than boxes, or one that is
            not finite.
    """
    runs = [predictions] if isinstance(predictions, Mapping) else list(predictions)
    heard = [presence] if isinstance(presence, Mapping) else list(presence)
    scores = [_scores(one, annotation) for one in heard]
    thresholds = np.unique(np.quantile(np.concatenate(scores), np.linspace(0, 1, STEPS)))
    each = [
        _curves(
            frame_errors(align(run, annotation, repeats=False).boxes, annotation).overlap,
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
        if not np.isfinite(one).all():
            row = int(np.flatnonzero(~np.isfinite(one))[0])
            raise ResultsError(
                f"presence score of sequence {name!r}, row {row + 1}: {one[row]} is no score; run "
                "the sequence again"
            )
        parts.append(one)
    return np.concatenate(parts)
