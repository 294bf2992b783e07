from __future__ import annotations

import math

import numpy as np
import pytest

from pytracking_et.tracking.decode import cosine_window, decode, grid, penalties
from pytracking_et.tracking.parameters import Parameters

FLAT = Parameters(penalty_k=0.0, window_influence=0.0)


def best(score, distances, target, side, settings):
    """Cell that ranks highest, and what it says."""
    cells = decode(score, distances, target, side, settings)
    return cells.best(), cells.choice(cells.best())


def maps(cells=16, size=(40.0, 20.0)):
    score = np.zeros((cells, cells), np.float32)
    distances = np.empty((4, cells, cells), np.float32)
    distances[0::2], distances[1::2] = size[0] / 2, size[1] / 2
    return score, distances


@pytest.mark.parametrize(
    ("cells", "search", "first", "middle"), [(16, 256, 0, 128), (18, 288, 0, 144)]
)
def test_grid_has_the_crop_centre_at_half(cells, search, first, middle):
    points = grid(cells, search)
    assert points[0] == first
    assert points[cells // 2] == middle
    assert set(np.diff(points)) == {16.0}


@pytest.mark.parametrize(("row", "column"), [(8, 8), (8, 10), (3, 8), (0, 15)])
def test_best_cell_gives_offset_and_size(row, column):
    score, distances = maps()
    score[row, column] = 0.9
    cell, choice = best(score, distances, np.array([40.0, 20.0]), 256, FLAT)
    assert cell == (row, column)
    assert choice.offset.tolist() == [(column - 8) * 16, (row - 8) * 16]
    assert choice.size.tolist() == [40, 20]
    assert choice.score == pytest.approx(0.9)
    assert choice.penalty == 1


def test_asymmetric_distances_move_the_centre():
    score, distances = maps()
    score[8, 8] = 1
    distances[:, 8, 8] = (10, 4, 30, 8)
    _, choice = best(score, distances, np.array([40.0, 12.0]), 256, FLAT)
    assert choice.offset.tolist() == [10, 2]
    assert choice.size.tolist() == [40, 12]


def test_window_decides_between_equals_and_keeps_the_score_raw():
    score, distances = maps()
    score[8, 8] = score[2, 2] = 0.7
    cell, choice = best(score, distances, np.array([40.0, 20.0]), 256, Parameters(penalty_k=0))
    assert cell == (8, 8)
    assert choice.score == pytest.approx(0.7)


def test_penalty_prefers_the_known_shape():
    score, distances = maps()
    score[8, 7], score[8, 9] = 0.80, 0.78
    distances[:, 8, 7] = (80, 10, 80, 10)
    settings = Parameters(penalty_k=0.1, window_influence=0)
    assert best(score, distances, np.array([40.0, 20.0]), 256, settings)[0] == (8, 9)
    assert best(score, distances, np.array([40.0, 20.0]), 256, FLAT)[0] == (8, 7)


def test_penalty_against_the_formula():
    def size(w, h):
        p = (w + h) / 2
        return math.sqrt((w + p) * (h + p))

    w, h, target = 60.0, 30.0, np.array([40.0, 25.0])
    s = size(w, h) / size(*target)
    r = (target[0] / target[1]) / (w / h)
    expected = math.exp(-(max(r, 1 / r) * max(s, 1 / s) - 1) * 0.3)
    assert penalties(np.array(w), np.array(h), target, 0.3) == pytest.approx(expected)


def test_a_box_without_area_is_never_chosen_over_one_with():
    score, distances = maps()
    score[4, 4], score[8, 8] = 0.9, 0.5
    distances[:, 4, 4] = 0
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        cell, _ = best(score, distances, np.array([40.0, 20.0]), 256, Parameters())
    assert cell == (8, 8)


def test_cosine_window():
    window = cosine_window(17)
    assert window[8, 8] == 1
    assert window[0].max() == 0
    with pytest.raises(ValueError, match="read-only"):
        window[0, 0] = 1
