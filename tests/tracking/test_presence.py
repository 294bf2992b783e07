"""The score as a probability: evidence on drawn maps, and the loop that reports it."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.tracking.appearance import thumbnail
from pytracking_et.tracking.decode import decode, peaks
from pytracking_et.tracking.loop import Loop
from pytracking_et.tracking.parameters import PRESENCE_NUMBERS, Parameters
from pytracking_et.tracking.presence import FORGIVEN, NO_OTHER, Presence, evidence

from .fakes import BrightSpotEngine, frame

BOX = (100, 80, 40, 30)
SCORE_ALONE = (1.0, *[0.0] * (PRESENCE_NUMBERS - 1))


def log_odds(score):
    return np.log(score / (1 - score))


def seen(scores, spread=0.0):
    """Evidence of the first of some cells; its neighbours' boxes are off by `spread` pixels."""
    score = np.full((14, 14), 0.01, np.float32)
    distances = np.full((4, 14, 14), 20, np.float32)
    points = (np.arange(14) - 7) * 16
    for (row, column), value in scores.items():
        score[row, column] = value
    (row, column), _ = next(iter(scores.items()))
    # All cells around it mean the same box, 40 wide and high, but for the spread.
    distances[0] += (points - points[column])[None] + spread
    distances[2] -= (points - points[column])[None] + spread
    distances[1] += (points - points[row])[:, None]
    distances[3] -= (points - points[row])[:, None]
    distances[:, row, column] = 20
    cells = decode(score, distances, np.array([40.0, 40.0]), 224, Parameters())
    found = peaks(cells, (row, column))
    return evidence(cells, found, found.index((row, column)))


def test_evidence_is_score_other_peak_and_agreement():
    one = seen({(7, 7): 0.9})
    assert one.score == pytest.approx(log_odds(0.9), rel=1e-5)
    assert one.other == NO_OTHER
    assert one.agreement == pytest.approx(1, abs=1e-6)
    # Boxes beside each other do not overlap, but both are where the first one's cells say.
    assert seen({(7, 7): 0.9}, spread=20).agreement < 0.95
    assert seen({(0, 0): 0.9}).agreement == pytest.approx(1, abs=1e-6)


def test_more_of_each_kind_of_evidence_is_weighed_as_it_should():
    look = np.eye(1, 8, dtype=np.float32)[0]
    blank = np.zeros(8, np.float32)
    good, poor = seen({(7, 7): 0.95}), seen({(7, 7): 0.6}, spread=20)
    one = Presence(look, look, SCORE_ALONE)
    assert one.see(good, look, look) == pytest.approx(0.95, abs=1e-4)
    assert one.weighed[2] == one.weighed[-1] == pytest.approx(1)
    for _ in range(5):
        one.see(poor, blank, look)
    score, other, colours, agreement, mean, worst, least = one.weighed
    assert least == pytest.approx(1)
    assert score == pytest.approx(log_odds(0.6), rel=1e-4)
    assert (other, colours) == (NO_OTHER, 0)
    assert agreement == worst < 1
    assert score < mean < 6
    one.see(good, look, -look)
    # A bad frame is remembered, and colours that are not the target's were not learnt.
    assert one.weighed[-2] < one.weighed[3]
    assert one.weighed[2] == pytest.approx(1)
    # So is a box that shows something else all at once, a little less with every frame.
    assert one.weighed[-1] == pytest.approx(-1)
    one.see(good, look, -look)
    assert one.weighed[-1] == pytest.approx(-1 + FORGIVEN)
    twin = one.elsewhere(good, look)
    assert twin.see(good, look, look) == pytest.approx(0.95, abs=1e-4)
    assert twin.weighed[-1] == pytest.approx(1)


def test_thumbnails_correlate_whatever_the_place_size_and_brightness():
    rng = np.random.default_rng(1)
    small = rng.integers(0, 100, (8, 8, 3), np.uint8)
    crop = np.zeros((64, 96, 3), np.uint8)
    crop[:32, :32] = cv2.resize(small, (32, 32))
    crop[:, 32:] = 50 + cv2.resize(small, (64, 64))
    one = thumbnail(crop, np.array([0.0, 0, 32, 32]))
    assert (one.mean(), one @ one) == pytest.approx((0, 1), abs=1e-5)
    assert one @ thumbnail(crop, np.array([32.0, 0, 64, 64])) > 0.9
    assert abs(one @ thumbnail(crop[::-1].copy(), np.array([32.0, 0, 64, 64]))) < 0.5
    # Nothing to be seen, and a box that is outside: numbers all the same.
    assert not thumbnail(np.zeros_like(crop), np.array([0.0, 0, 9, 9])).any()
    assert np.isfinite(thumbnail(crop, np.array([-500.0, -500, 20, 20]))).all()


@pytest.mark.parametrize(("bias", "lost"), [(9.0, False), (-9.0, True)])
def test_the_loop_reports_the_probability_and_keeps_the_raw_score(bias, lost):
    numbers = (*[0.0] * (PRESENCE_NUMBERS - 1), bias)
    plain = Loop(BrightSpotEngine(), Parameters())
    loop = Loop(BrightSpotEngine(), Parameters(presence=numbers))
    for one in (plain, loop):
        one.start(frame(BOX), BOX)
    for shift in range(4):
        image = frame((BOX[0] + 3 * shift, *BOX[1:]))
        expected, found = plain.step(image), loop.step(image)
        np.testing.assert_array_equal(found.box, expected.box)
        assert found.score == pytest.approx(1 / (1 + np.exp(-bias)))
        assert loop.raw_score == plain.raw_score == expected.score == pytest.approx(0.95)
        assert (loop.lost, plain.lost) == (lost, False)
    twin = copy.deepcopy(loop)
    before = loop.evidence
    twin.step(frame((0, 0, 5, 5)))
    assert loop.evidence == before != twin.evidence


@pytest.mark.parametrize("value", [(1.0,), [1, 2], 3, "high", ["a"] * 8, [float("nan")] * 8])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(ParameterError, match="presence"):
        Parameters(presence=value)


def test_numbers_come_from_json_as_a_list():
    assert Parameters(presence=[1] * PRESENCE_NUMBERS).presence == (1.0,) * PRESENCE_NUMBERS
