"""A target that is gone and comes back elsewhere, drawn, without a network."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pytracking_et.tracker import opening, plugins
from pytracking_et.tracking.loop import Loop
from pytracking_et.tracking.parameters import Parameters
from pytracking_et.tracking.redetection import PLACES, SIZES, Search, grid

from .fakes import BrightSpotEngine, frame

SHAPE = (480, 640)


def picture(box):
    return frame((0, 0, 0, 0) if box is None else box, SHAPE)


def follow(redetect, boxes):
    """Boxes, and whether the target counts as lost; None: nothing to see."""
    loop = Loop(BrightSpotEngine(), Parameters(redetect=redetect, association=True))
    loop.start(frame(boxes[0], SHAPE), boxes[0])
    found = []
    for box in boxes[1:]:
        found.append((loop.step(picture(box)).box, loop.lost))
    return found


@pytest.mark.parametrize("side", [30, 40, 54])
def test_a_target_that_comes_back_elsewhere_is_found(side):
    away = (550, 400, side, side * 3 // 4)
    boxes = [(60, 60, 40, 30)] * 3 + [None] * 6 + [away] * 40
    box, lost = follow(True, boxes)[-1]
    assert not lost
    np.testing.assert_allclose(box, away, atol=4)
    box, lost = follow(False, boxes)[-1]
    assert lost
    assert np.abs(box[:2] - away[:2]).max() > 200


@pytest.mark.parametrize("redetect", [True, False])
def test_a_parameter_file_turns_it_on_in_every_harness(tmp_path, monkeypatch, redetect):
    file = tmp_path / "searchlab" / "parameter" / "et_tracker" / "searching.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from pytracking_et.tracker.params import TrackerParams\n"
        f"def parameters(): return TrackerParams(association=True, redetect={redetect})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "searchlab")
    monkeypatch.setattr(opening, "create", lambda *given: BrightSpotEngine())
    params = plugins.parameters("et_tracker", "searching")
    tracker, away = plugins.tracker_class("et_tracker")(params), (550, 400, 40, 30)
    tracker.initialize(picture((60, 60, 40, 30)), {"init_bbox": [60, 60, 40, 30]})
    for box in [(60, 60, 40, 30)] * 2 + [None] * 6 + [away] * 40:
        found = tracker.track(picture(box))["target_bbox"]
    assert (np.abs(np.subtract(found, away)).max() < 4) == redetect
    del sys.modules["searchlab.parameter.et_tracker.searching"]


def test_a_target_that_is_seen_is_tracked_as_without():
    boxes = [(60 + 3 * t, 60, 40, 30) for t in range(12)]
    for with_it, without in zip(follow(True, boxes), follow(False, boxes), strict=True):
        np.testing.assert_array_equal(with_it[0], without[0])


def test_nothing_to_find_leaves_it_lost():
    assert follow(True, [(60, 60, 40, 30)] * 3 + [None] * 30)[-1][1]


def test_places_cover_the_frame_at_every_size_nearest_first():
    box, search = np.array([20.0, 20, 30, 30]), Search()
    step = 0.6 * 120
    centers = grid((240, 320), box, step)
    assert np.hypot(*(centers[0] - [35, 35])) < np.hypot(*(centers[-1] - [35, 35]))
    for x in range(0, 320, 20):
        for y in range(0, 240, 20):
            assert min(np.abs(center - [x, y]).max() for center in centers) <= step / 2
    first = search.next((240, 320), box, 120)
    assert len(first) == PLACES
    assert [factor for _, factor in first] == [SIZES[0]] * PLACES
    seen = list(first)
    while len({factor for _, factor in seen}) < len(SIZES):
        seen += search.next((240, 320), box, 120)
    search.clear()
    np.testing.assert_array_equal(search.next((240, 320), box, 120)[0][0], first[0][0])
