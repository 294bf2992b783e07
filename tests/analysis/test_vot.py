"""VOT figures on cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis.metrics import Annotation
from pytracking_et.analysis.vot import (
    read_supervised,
    region_overlap,
    score_from_start,
    score_longterm,
    score_supervised,
)
from pytracking_et.errors import DatasetError, ResultsError

BOX = np.array([0.0, 0.0, 10.0, 10.0])
HALF = np.array([0.0, 0.0, 10.0, 5.0])
FAR = np.array([100.0, 0.0, 10.0, 10.0])
START, FAIL, SKIP = ([float(code)] for code in (1, 2, 0))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (BOX, BOX, 1.0),
        (BOX, HALF, 0.5),
        (BOX, FAR, 0.0),
        (BOX, [0, 0, 10, 0, 10, 10, 0, 10], 1.0),
        ([0, 0, 10, 0, 0, 10], BOX, 0.5),  # a triangle
        ([5, -2, 12, 5, 5, 12, -2, 5], BOX, (98 - 16) / (100 + 16)),  # a diamond less its tips
        (BOX, [0, 0, 0, 10], 0.0),
        (BOX, [np.nan] * 4, 0.0),
        (BOX, [0, 0, np.inf, 10], 0.0),
        (BOX, [np.nan, 0, 10, 0, 10, 10, 0, 10], 0.0),
    ],
)
def test_region_overlap(first, second, expected):
    assert region_overlap(np.array(first, float), np.array(second, float)) == pytest.approx(
        expected, abs=1e-6
    )


def test_read_supervised(tmp_path):
    (tmp_path / "a.txt").write_text("1\n1,2,3,4\n2\n0\n1,2,3,4,5,6,7,8\n")
    assert [row.size for row in read_supervised(tmp_path / "a.txt")] == [1, 4, 1, 1, 8]


@pytest.mark.parametrize("line", ["x", "1,2", "5", ""])
def test_read_supervised_names_the_row(tmp_path, line):
    (tmp_path / "a.txt").write_text(f"1\n{line}\n1\n")
    with pytest.raises(ResultsError, match="row 2"):
        read_supervised(tmp_path / "a.txt")


def test_supervised_by_hand():
    # Started at 0, tracks at 0.5 for two frames, fails at 3, restarts at 5, tracks at 1.0.
    run = [START, HALF, HALF, FAIL, SKIP, START, BOX, BOX]
    got = score_supervised({"a": [run]}, {"a": [BOX] * 8}, interval=(1, 3), burn_in=0)
    assert got.accuracy == pytest.approx((0.5 + 0.5 + 1 + 1) / 4)
    assert got.failures == 1
    assert got.robustness == pytest.approx(100 / 8)
    # N = 1: (0.5 + 1) / 2. N = 2: the same. N = 3: only the lost one tells: (0.5 + 0.5 + 0) / 3.
    assert got.curve == pytest.approx([0.75, 0.75, 1 / 3])
    assert got.eao == pytest.approx((0.75 + 0.75 + 1 / 3) / 3)
    assert "reset-based" in got.note


def test_a_region_of_nan_is_no_hit():
    lost = np.full(4, np.nan)
    got = score_supervised({"a": [[START, BOX, lost, lost]]}, {"a": [BOX] * 4}, (1, 3), burn_in=0)
    assert got.accuracy == pytest.approx(1 / 3)
    assert got.curve.tolist() == pytest.approx([1, 1 / 2, 1 / 3])


def test_burn_in_is_left_out_of_accuracy_only():
    run = [START, HALF, HALF, BOX]
    got = score_supervised({"a": [run]}, {"a": [BOX] * 4}, interval=(1, 3), burn_in=3)
    assert got.accuracy == 1.0
    assert got.curve[0] == 0.5


def test_runs_are_averaged():
    good, bad = [START, BOX, BOX, BOX], [START, BOX, FAIL, SKIP]
    got = score_supervised({"a": [good, bad]}, {"a": [BOX] * 4}, interval=(1, 3), burn_in=0)
    assert got.failures == 0.5
    assert got.curve == pytest.approx([1.0, 0.75, (1 + 1 / 3) / 2])


@pytest.mark.parametrize(
    ("results", "message"), [({}, "'a'"), ({"a": [[START, BOX]]}, "2 rows for 3")]
)
def test_supervised_that_does_not_fit(results, message):
    with pytest.raises(ResultsError, match=message):
        score_supervised(results, {"a": [BOX] * 3})


def test_from_start_by_hand():
    predictions = {"a": [BOX, BOX, HALF, FAR, FAR, FAR, BOX], "b": [BOX] * 5}
    truth = {"a": [BOX] * 7, "b": [BOX] * 5}
    got = score_from_start(predictions, truth, interval=(2, 4), grace=3)
    # a fails at its third tracked frame (two before it, of six); b never.
    assert got.per_sequence["robustness"].to_list() == pytest.approx([2 / 6, 1.0])
    assert got.robustness == pytest.approx((2 + 4) / 10)
    assert got.accuracy == pytest.approx((1 + 0.5 + 4) / 6)
    assert got.failures == 1
    curve = [1.0, (0.75 + 1) / 2, (0.5 + 1) / 2, (0.375 + 1) / 2]
    assert got.curve == pytest.approx(curve)
    assert got.eao == pytest.approx(np.mean(curve[1:]))


def test_a_box_without_area_is_a_miss():
    got = score_from_start({"a": [BOX] + [[0.0] * 4] * 6}, {"a": [BOX] * 7}, (2, 4), grace=3)
    assert (got.failures, got.robustness) == (1, 0)


def test_a_short_loss_is_no_failure():
    predictions = {"a": [BOX, FAR, FAR, BOX, BOX]}
    got = score_from_start(predictions, {"a": [BOX] * 5}, interval=(1, 4), grace=3)
    assert got.failures == 0
    assert got.robustness == 1.0


def test_sequences_too_short_for_the_interval():
    for found in ([BOX] * 115, [BOX] + [FAR] * 114):  # a failure lasts for ever, and is no figure
        with pytest.raises(DatasetError, match="no sequence has 115 frames after its first"):
            score_from_start({"a": found}, {"a": [BOX] * 115})
    assert score_from_start({"a": [BOX] * 116}, {"a": [BOX] * 116}).eao == 1


LONG_BOX = [10.0, 10.0, 10.0, 10.0]
LONG_HALF = [10.0, 10.0, 10.0, 5.0]
NAN = [np.nan] * 4


def test_longterm_by_hand():
    annotation = Annotation.build(
        {"a": [LONG_BOX, LONG_BOX, NAN, LONG_BOX]}, "lasot", "ettrack", {"a": [1] * 4}
    )
    got = score_longterm(
        {"a": [LONG_BOX, LONG_HALF, LONG_BOX, LONG_BOX]},
        {"a": [1.0, 0.9, 0.2, 0.8]},
        annotation,
    )
    at = {round(t, 3): i for i, t in enumerate(got.thresholds)}
    low, high = at[0.2], at[1.0]
    # All reported: 1 + 0.5 + 0 (absent) + 1 over 4; recall over the three visible frames.
    assert got.precision[low] == pytest.approx(2.5 / 4)
    assert got.recall[low] == pytest.approx(2.5 / 3)
    assert (got.precision[high], got.recall[high]) == pytest.approx((1.0, 1 / 3))
    best = 2 * (2.5 / 3) ** 2 / (2.5 / 3 * 2)  # the absent frame is not reported at 0.8
    assert got.f[got.index] == pytest.approx(best)


def test_longterm_a_box_without_area_is_a_miss():
    annotation = Annotation.build({"a": [LONG_BOX] * 4})
    got = score_longterm({"a": [LONG_BOX] + [[0.0] * 4] * 3}, {"a": [1.0] * 4}, annotation)
    assert got.f[got.index] == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("presence", "message"),
    [
        ({}, "no presence scores"),
        ({"a": [1.0]}, "1 presence scores, 2"),
        ({"a": [1.0, np.nan]}, "'a', row 2: nan is no score"),
    ],
)
def test_presence_that_does_not_fit(presence, message):
    annotation = Annotation.build({"a": [LONG_BOX] * 2})
    with pytest.raises(ResultsError, match=message):
        score_longterm({"a": [LONG_BOX] * 2}, presence, annotation)


def test_runs_are_averaged_at_each_threshold():
    annotation = Annotation.build({"a": [LONG_BOX, LONG_BOX]})
    first, second = {"a": [LONG_BOX, LONG_BOX]}, {"a": [LONG_BOX, LONG_HALF]}
    scores = {"a": [1.0, 0.5]}
    got = score_longterm([first, second], [scores, scores], annotation)
    low = 0  # everything reported: 1 and 0.75
    assert (got.precision[low], got.recall[low]) == pytest.approx((0.875, 0.875))
    alone = score_longterm(second, scores, annotation)
    twice = score_longterm([second, second], [scores, scores], annotation)
    assert twice.f[twice.index] == pytest.approx(alone.f[alone.index])
