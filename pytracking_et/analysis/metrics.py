"""Errors of every frame and the curves made from them, for all sequences at once.

The sequences of a data set lie one after the other in flat arrays, so a metric is a handful of
numpy calls however many sequences there are. Definitions: `rules`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxes import unusable
from ..errors import DatasetError, ParameterError, ResultsError
from ..results.names import Matcher
from .readers import BoxSet
from .rules import Rule, family, find_rule

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

CENTER_THRESHOLDS: Array = np.arange(51, dtype=np.float64)
NORM_THRESHOLDS: Array = np.arange(51, dtype=np.float64) / 100
# Sequences named in one warning.
_NAMED = 8


def overlap_thresholds(gap: float = 0.05) -> Array:
    """Thresholds 0, gap, ... 1 of the success curve."""
    count = round(1 / gap) if 0 < gap <= 1 else 0
    if not count or abs(count * gap - 1) > 1e-9:
        raise ParameterError(f"plot_bin_gap {gap!r} does not divide 1; use 0.05 or 0.01")
    return np.arange(count + 1, dtype=np.float64) * gap


@dataclass(frozen=True)
class Annotation:
    """Ground truth of a data set, prepared once for any number of trackers.

    Attributes:
        truth: boxes, NaN or non-positive where the target is absent.
        valid: (frames,) where overlap and errors are measured.
        seen: (frames,) not marked as absent by the visibility flags, whatever the rule.
        center_fill: (invalid frames,) center errors of the others; -1 is a hit, inf a miss.
        norm_fill: the same for normalized center errors.
        dataset: its name.
        rule: the rule the flags follow.
        visibility: whether the data set's own visibility flags were given.
    """

    truth: BoxSet
    valid: Flags
    seen: Flags
    center_fill: Array
    norm_fill: Array
    dataset: str
    rule: Rule
    visibility: bool

    @classmethod
    def build(
        cls,
        ground_truth: Mapping[str, ArrayLike],
        dataset: str = "otb",
        rule: str = "pytracking",
        visible: Mapping[str, ArrayLike] | None = None,
    ) -> Annotation:
        """Prepare ground truth; arguments as of `score`."""
        chosen, kind = find_rule(rule), family(dataset)
        truth = BoxSet.of(ground_truth)
        if not truth:
            raise DatasetError("no sequences: the ground truth is empty")
        empty = [name for name in truth if len(truth[name]) == 0]
        if empty:
            raise DatasetError(f"sequences without any annotated frame: {', '.join(empty)}")
        needed = truth.boxes if chosen.needs_position else truth.boxes[:, 2:]
        # NaN compares false, so an absent target is invalid whichever way it is written.
        valid: Flags = np.all(needed > 0, axis=1) & np.all(np.isfinite(truth.boxes), axis=1)
        seen: Flags = np.ones(len(truth.boxes), np.bool_)
        if visible is not None:
            seen = _flags(truth, visible)
        # pytracking does not read GOT-10k's cover.label, so its rule goes by the boxes there.
        if chosen.name != "pytracking" or kind != "got10k":
            valid &= seen
        invalid = np.flatnonzero(~valid)
        hit = kind == "uav" or chosen.drops_absent
        center = np.full(len(invalid), -1.0 if hit else np.inf)
        norm = np.full(len(invalid), -1.0)
        if kind == "lasot" or chosen.drops_absent:
            unseen = ~seen[invalid]
            center[unseen] = norm[unseen] = np.inf
        return cls(truth, valid, seen, center, norm, dataset, chosen, visible is not None)

    def only(self, names: Iterable[str]) -> Annotation:
        """The annotation of some of the sequences, in their order here."""
        wanted = set(names)
        chosen = [name in wanted for name in self.truth.names]
        keep = np.repeat(chosen, self.lengths)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        kept = [name for name in self.truth.names if name in wanted]
        filled = keep[~self.valid]
        return replace(
            self,
            truth=BoxSet(kept, self.truth.boxes[keep], offsets),
            valid=self.valid[keep],
            seen=self.seen[keep],
            center_fill=self.center_fill[filled],
            norm_fill=self.norm_fill[filled],
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(sequences,) frames of each."""
        return np.diff(self.truth.offsets)

    @property
    def owner(self) -> NDArray[np.int64]:
        """(frames,) index of the sequence each frame belongs to."""
        return np.repeat(np.arange(len(self.truth)), self.lengths)

    def valid_counts(self) -> NDArray[np.int64]:
        """(sequences,) valid frames of each."""
        return np.add.reduceat(self.valid.astype(np.int64), self.truth.offsets[:-1])


def _flags(truth: BoxSet, visible: Mapping[str, ArrayLike]) -> Flags:
    flags = np.ones(len(truth.boxes), bool)
    matcher = Matcher(visible)
    for i, name in enumerate(truth.names):
        found = matcher.find(name)
        if found is None:
            raise DatasetError(f"visibility of sequence {name!r} is missing; give every sequence")
        one = np.asarray(visible[found]).astype(bool).reshape(-1)
        begin, end = truth.offsets[i], truth.offsets[i + 1]
        if len(one) != end - begin:
            raise DatasetError(
                f"visibility of sequence {name!r} has {len(one)} flags "
                f"for {end - begin} annotated frames"
            )
        flags[begin:end] = one
    return flags


@dataclass(frozen=True)
class Aligned:
    """Predictions brought to the frames of the ground truth.

    Attributes:
        boxes: (frames, 4).
        given: (sequences,) rows each result had.
    """

    boxes: Array
    given: NDArray[np.int64]


def align(
    predictions: Mapping[str, ArrayLike], annotation: Annotation, repeats: bool = True
) -> Aligned:
    """Cut, pad with zeros, let zero-size boxes repeat the one before, replace first frames.

    A zero-size box stays where the annotation is NaN: there the tracker was right to find nothing.
    Another number of rows than the annotation has is warned of; on LaSOT a short result is refused.

    Args:
        repeats: whether zero-size boxes repeat the one before; to GOT-10k and VOT they are misses.

    Raises:
        ResultsError: a sequence is missing, or short on LaSOT; a box is NaN, infinite or has
            negative size (the message names sequence and row).
    """
    truth = annotation.truth
    given = BoxSet.of(predictions)
    if given.names == truth.names and np.array_equal(given.offsets, truth.offsets):
        boxes, rows = given.boxes.copy(order="K"), annotation.lengths
        padded = np.zeros(0, np.int64)
    else:
        boxes, rows, padded = _fit(given, truth)
    # What is not scored is not looked at.
    _refuse_invalid(BoxSet(truth.names, boxes, truth.offsets))
    _check_rows(rows, annotation)
    first = truth.offsets[:-1]
    repeat = (boxes[:, 2] == 0) | (boxes[:, 3] == 0)
    repeat &= ~np.isnan(truth.boxes).any(axis=1)
    repeat[first] = False
    repeat[padded] = False
    if repeats and repeat.any():
        source = np.arange(len(boxes))
        source[repeat] = 0
        boxes[repeat] = boxes[np.maximum.accumulate(source)[repeat]]
    # Last, as pytracking does: what repeats the first box repeats the tracker's own.
    boxes[first] = truth.boxes[first]
    return Aligned(boxes, rows)


def rows_that_differ(names: Iterable[str], given: ArrayLike, frames: ArrayLike) -> str:
    """Sequences whose result has another number of rows than their annotation; "" where none has.

    Args:
        given: (sequences,) rows of each result.
        frames: (sequences,) rows of each annotation.
    """
    counts = zip(names, np.asarray(given).tolist(), np.asarray(frames).tolist(), strict=True)
    found = [f"{name!r} has {a} boxes for {b} annotated frames" for name, a, b in counts if a != b]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _check_rows(rows: NDArray[np.int64], annotation: Annotation) -> None:
    frames = annotation.lengths
    short = rows < frames if family(annotation.dataset) == "lasot" else np.zeros(len(rows), bool)
    if short.any():
        names = np.array(annotation.truth.names, object)[short]
        raise ResultsError(
            f"incomplete results on {annotation.dataset}: "
            f"{rows_that_differ(names, rows[short], frames[short])}; run them again"
        )
    text = rows_that_differ(annotation.truth.names, rows, frames)
    if text:
        warnings.warn(
            f"sequence {text}; missing boxes count as lost, surplus ones are left out",
            stacklevel=3,
        )


def _fit(given: BoxSet, truth: BoxSet) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Predictions in the order and length of the ground truth, and which rows were padded."""
    boxes = np.zeros_like(truth.boxes)
    rows = np.zeros(len(truth), np.int64)
    padded: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    found, missing = Matcher(given).pair(truth.names)
    if missing:
        raise ResultsError(
            f"no predictions for {len(missing)} of {len(truth)} sequences: {', '.join(missing[:8])}"
            f"{' ...' if len(missing) > 8 else ''}; run them, or leave them out of the ground truth"
        )
    for i, match in enumerate(found.values()):
        begin, end = truth.offsets[i], truth.offsets[i + 1]
        one = given[match][: end - begin]
        rows[i] = len(given[match])
        boxes[begin : begin + len(one)] = one
        padded.append(np.arange(begin + len(one), end))
    return boxes, rows, np.concatenate(padded)


def _refuse_invalid(given: BoxSet) -> None:
    bad = unusable(given.boxes)
    if not bad.any():
        return
    where = int(np.flatnonzero(bad)[0])
    i = int(np.searchsorted(given.offsets, where, side="right")) - 1
    raise ResultsError(
        f"prediction of sequence {given.names[i]!r}, row {where - given.offsets[i] + 1}: "
        f"{given.boxes[where].tolist()} has NaN, infinity or negative size "
        f"({int(bad.sum())} such row(s) in all); a box is x, y, w, h with w, h >= 0"
    )


def overlap(first: Array, second: Array) -> Array:
    """IoU of boxes (N, 4) by inclusive pixels: a box covers x ... x + w - 1.

    In exact arithmetic that is the plain IoU. The order of the operations is kept because
    sub-pixel boxes round differently in another; what rounds to above 1 is 1. NaN, where sizes
    overflow or an annotation is NaN, is 0: never a hit.
    """
    width, height = (
        np.minimum(first[:, i] + first[:, i + 2] - 1, second[:, i] + second[:, i + 2] - 1)
        - np.maximum(first[:, i], second[:, i])
        + 1
        for i in (0, 1)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        union = first[:, 2] * first[:, 3] + second[:, 2] * second[:, 3] - shared
        quotient = shared / union
    return np.where(np.isfinite(quotient), np.minimum(quotient, 1.0), 0.0)


def _length(vectors: Array) -> Array:
    return np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2)


@dataclass(frozen=True)
class FrameErrors:
    """Per frame, (frames,): IoU (-1 invalid), center error in px, normalized error."""

    overlap: Array
    center: Array
    norm: Array


def frame_errors(boxes: Array, annotation: Annotation) -> FrameErrors:
    """Errors of aligned predictions (frames, 4)."""
    truth, invalid = annotation.truth.boxes, ~annotation.valid
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = overlap(boxes, truth)
        mine, real = (b[:, :2] + 0.5 * (b[:, 2:] - 1) for b in (boxes, truth))
        center = _length(mine - real)
        # Each center is divided before the difference is taken: at an error of exactly 0.2 the
        # other order rounds to the other side, worth 0.01 points on OTB-100.
        norm = _length(mine / truth[:, 2:] - real / truth[:, 2:])
    shared[invalid] = -1.0
    center[invalid] = annotation.center_fill
    norm[invalid] = annotation.norm_fill
    return FrameErrors(shared, center, norm)


@dataclass(frozen=True)
class Curves:
    """Hit rates per sequence and threshold, 0..1.

    Attributes:
        success: (sequences, thresholds) IoU > threshold.
        precision: (sequences, thresholds) center error <= threshold.
        norm_precision: normalized error <= threshold.
        average_overlap: (sequences,) mean IoU of the valid frames, NaN where there is none.
        thresholds: of the success curve.
    """

    success: Array
    precision: Array
    norm_precision: Array
    average_overlap: Array
    thresholds: Array


def curves(
    errors: FrameErrors, annotation: Annotation, gap: float, exclude_invalid_frames: bool
) -> Curves:
    """Count hits. `exclude_invalid_frames` takes invalid frames out of hits and frame counts."""
    thresholds = overlap_thresholds(gap)
    owner, lengths, sequences = annotation.owner, annotation.lengths, len(annotation.truth)
    shared, center, norm = errors.overlap, errors.center, errors.norm
    valid, counts = annotation.valid, annotation.valid_counts()
    total = np.bincount(owner, np.where(valid, shared, 0.0), sequences)
    with np.errstate(divide="ignore", invalid="ignore"):
        average = total / counts
    if exclude_invalid_frames:
        owner, lengths = owner[valid], counts
        shared, center, norm = shared[valid], center[valid], norm[valid]

    def rates(first_hit: NDArray[np.int64], bins: int) -> Array:
        """Share of frames whose first hit is at or before each of `bins` thresholds."""
        table = np.bincount(owner * (bins + 1) + first_hit, minlength=sequences * (bins + 1))
        hits = np.cumsum(table.reshape(sequences, bins + 1)[:, :bins], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return hits / lengths[:, None]

    # Thresholds below the IoU are the successes: k of them fail from index k on.
    passed = np.searchsorted(thresholds, shared, side="left")
    bins = len(thresholds)
    success = rates(bins - passed, bins)[:, ::-1]
    return Curves(
        success,
        rates(np.searchsorted(CENTER_THRESHOLDS, center, side="left"), len(CENTER_THRESHOLDS)),
        rates(np.searchsorted(NORM_THRESHOLDS, norm, side="left"), len(NORM_THRESHOLDS)),
        average,
        thresholds,
    )
