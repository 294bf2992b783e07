"""Parts of the metrics: thresholds, subsets, alignment, overlap."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis import metrics
from pytracking_et.analysis.metrics import Annotation, align, frame_errors
from pytracking_et.errors import DatasetError, ParameterError

from . import reference


@pytest.mark.parametrize(("gap", "count"), [(0.05, 21), (0.01, 101), (0.1, 11), (1, 2)])
def test_thresholds(gap, count):
    found = metrics.overlap_thresholds(gap)
    assert len(found) == count
    assert found[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("gap", [0, -0.1, 0.03, 2])
def test_thresholds_must_divide_one(gap):
    with pytest.raises(ParameterError, match="does not divide 1"):
        metrics.overlap_thresholds(gap)


def test_overlap_equals_the_reference():
    rng = np.random.default_rng(5)
    first, second = rng.uniform(1, 40, (2, 500, 4))
    expected = [reference.iou(a, b) for a, b in zip(first, second, strict=True)]
    assert metrics.overlap(first, second).tolist() == expected


def test_only_keeps_fills_with_their_frames():
    truth = {
        name: [[10, 10, 5, 5], [np.nan] * 4, [0, 10, 5, 5]][: k + 1]
        for k, name in enumerate(["a", "b", "c"])
    }
    visible = {"a": [1], "b": [1, 0], "c": [1, 1, 0]}
    whole = Annotation.build(truth, "lasot", visible=visible)
    part = whole.only(["c", "a"])
    assert part.truth.names == ("a", "c")
    assert part.valid.tolist() == [True, True, False, False]
    assert part.norm_fill.tolist() == [-1, np.inf]
    alone = Annotation.build({k: truth[k] for k in "ac"}, "lasot", visible=visible)
    assert np.array_equal(part.center_fill, alone.center_fill)
    assert np.array_equal(part.truth.boxes, alone.truth.boxes, equal_nan=True)


def test_align_leaves_its_input_alone():
    boxes = {"a": np.array([[1.0, 1, 1, 1], [2, 2, 0, 0]])}
    annotation = Annotation.build({"a": [[5, 5, 5, 5], [5, 5, 5, 5]]})
    assert align(boxes, annotation).boxes.tolist() == [[5, 5, 5, 5], [1, 1, 1, 1]]
    assert boxes["a"].tolist() == [[1, 1, 1, 1], [2, 2, 0, 0]]


def test_zero_boxes_do_not_reach_into_the_next_sequence():
    truth = {"a": [[5, 5, 5, 5]] * 2, "b": [[50, 50, 5, 5]] * 2}
    boxes = {"a": [[5, 5, 5, 5]] * 2, "b": [[50, 50, 5, 5], [1, 1, 0, 0]]}
    annotation = Annotation.build(truth)
    errors = frame_errors(align(boxes, annotation).boxes, annotation)
    assert errors.overlap.tolist() == [1, 1, 1, 1]


def test_sequences_without_frames_are_named():
    with pytest.raises(DatasetError, match="without any annotated frame: b"):
        Annotation.build({"a": [[1, 1, 1, 1]], "b": np.zeros((0, 4))})


@pytest.mark.parametrize(
    ("dataset", "rule", "valid"),
    [
        ("got10k_val", "pytracking", [True, True]),
        ("GOT-10k val", "pytracking", [True, True]),
        ("got10k_val", "ettrack", [True, False]),
        ("lasot", "pytracking", [True, False]),
    ],
)
def test_pytracking_has_no_flags_of_got10k(dataset, rule, valid):
    boxes, flags = {"a": [[5, 5, 5, 5]] * 2}, {"a": [1, 0]}
    annotation = Annotation.build(boxes, dataset, rule, flags)
    assert annotation.valid.tolist() == valid and annotation.seen.tolist() == [True, False]
