"""AO and SR against values counted by hand and against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis.got10k import score_got10k
from pytracking_et.errors import DatasetError, ResultsError

BOX = [0.0, 0.0, 10.0, 10.0]
HALF = [0.0, 0.0, 10.0, 6.0]  # IoU 0.6
FAR = [100.0, 0.0, 10.0, 10.0]


def test_by_hand():
    truth = {"a": [BOX] * 4, "b": [BOX] * 2}
    got = score_got10k({"a": [FAR, BOX, HALF, FAR], "b": [BOX, BOX]}, truth)
    # The first frames are not counted: IoU 1, 0.6, 0 and 1, all of one weight.
    assert got.ao == pytest.approx(100 * 2.6 / 4)
    assert got.sr50 == pytest.approx(75)
    assert got.sr75 == pytest.approx(50)
    assert got.per_sequence["ao"].to_list() == pytest.approx([100 * 1.6 / 3, 100])
    assert got.curve[[0, 55, 65, 100]].tolist() == [0.75, 0.75, 0.5, 0.0]


def test_absent_frames_are_not_counted():
    truth = {"a": [BOX] * 4}
    runs = {"a": [BOX, FAR, BOX, HALF]}
    got = score_got10k(runs, truth, visible={"a": [1, 0, 1, 1]})
    assert got.ao == pytest.approx(80)
    assert got.per_sequence["frames"].to_list() == [2]


def test_three_runs_count_together():
    truth = {"a": [BOX] * 2}
    runs = [{"a": [BOX, box]} for box in (BOX, HALF, FAR)]
    assert score_got10k(runs, truth).ao == pytest.approx(100 * 1.6 / 3)


def test_boxes_are_cut_at_the_border():
    truth = {"a": [[0, 0, 10, 10]] * 2}
    runs = {"a": [[0, 0, 10, 10], [0, 0, 40, 10]]}
    assert score_got10k(runs, truth).ao == pytest.approx(25)
    assert score_got10k(runs, truth, image_sizes={"a": (20, 20)}).ao == pytest.approx(50)


def test_random_against_reference():
    rng = np.random.default_rng(3)
    truth = {f"s{i}": rng.uniform(1, 50, (int(rng.integers(2, 20)), 4)) for i in range(8)}
    runs = {name: np.abs(rows + rng.normal(0, 5, rows.shape)) for name, rows in truth.items()}
    values = []
    for name, rows in truth.items():
        for a, b in zip(rows[1:], runs[name][1:], strict=True):
            w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
            h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
            shared = max(w, 0) * max(h, 0)
            values.append(shared / (a[2] * a[3] + b[2] * b[3] - shared))
    got = score_got10k(runs, truth)
    assert got.ao == pytest.approx(100 * np.mean(values))
    assert got.sr75 == pytest.approx(100 * np.mean(np.array(values) > 0.75))


def test_hidden_test_set_is_refused():
    with pytest.raises(DatasetError, match="hidden"):
        score_got10k({"a": [BOX]}, {"a": [BOX]}, dataset="got10k_test")


def test_nothing_to_count():
    with pytest.raises(ResultsError, match="no frame to count"):
        score_got10k({"a": [BOX]}, {"a": [BOX]})
