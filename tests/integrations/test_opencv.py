"""What OpenCV's own examples do with a `cv2.Tracker*`."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest

from pytracking_et import ETTracker
from pytracking_et.errors import BoxError
from pytracking_et.integrations import opencv

ROI = (50, 40, 30, 20)


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


@pytest.fixture
def options(checkpoint):
    return {"checkpoint": checkpoint, "parameter": "lt_mobile", "engine": "torch", "threads": 1}


@pytest.mark.parametrize("make", [opencv.TrackerET, opencv.TrackerET.create])
def test_the_loop_of_an_opencv_example(options, make):
    tracker = make(**options)
    assert tracker.init(image(), ROI) is None
    assert tracker.getTrackingScore() == 1
    frame = image(1)
    ok, box = tracker.update(frame)
    assert type(ok) is bool
    assert all(type(value) is int for value in box)
    cv2.rectangle(frame, box, (0, 255, 0))
    assert 0 <= tracker.getTrackingScore() <= 1


def test_methods_of_cv2_tracker_are_all_there():
    """Every OpenCV has TrackerMIL; its public methods are the interface."""
    theirs = {name for name in dir(cv2.Tracker) if not name.startswith("_")}
    assert {"init", "update"} <= theirs
    assert all(hasattr(opencv.TrackerET, name) for name in theirs)


def test_frames_are_bgr_and_boxes_rounded(options):
    tracker, own = opencv.TrackerET.create(**options), ETTracker(**options)
    tracker.init(image(), ROI)
    own.init(image()[..., ::-1], ROI)
    for seed in range(1, 4):
        _, box = tracker.update(image(seed))
        expected = own.update(image(seed)[..., ::-1])
        np.testing.assert_allclose(tracker.box, expected.box)
        assert box == tuple(np.rint(expected.box).astype(int))
        assert tracker.getTrackingScore() == pytest.approx(expected.score)


@pytest.mark.parametrize(("threshold", "ok"), [(0.0, True), (1.0, False)])
def test_ok_is_a_matter_of_the_score(options, threshold, ok):
    tracker = opencv.TrackerET.create(score_threshold=threshold, **options)
    tracker.init(image(), ROI)
    found, box = tracker.update(image(1))
    assert found is ok
    assert len(box) == 4, "the box is given all the same"


def test_select_roi_that_was_cancelled(options):
    with pytest.raises(BoxError, match="no area"):
        opencv.TrackerET.create(**options).init(image(), (0, 0, 0, 0))


def test_nothing_read(options):
    tracker = opencv.TrackerET.create(**options)
    tracker.init(image(), ROI)
    with pytest.raises(ValueError, match="NoneType"):
        tracker.update(None)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_its_target(options, make):
    tracker = opencv.TrackerET.create(**options)
    tracker.init(image(), ROI)
    twin = make(tracker)
    tracker.init(image(2), (10, 10, 60, 60))
    assert twin.box.tolist() == list(ROI)
