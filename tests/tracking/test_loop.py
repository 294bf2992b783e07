from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest

from pytracking_et import ETTracker
from pytracking_et.boxes import iou
from pytracking_et.errors import BoxError, EngineError, ImageError, ParameterError
from pytracking_et.tracking.loop import Loop
from pytracking_et.tracking.parameters import Parameters
from tests.golden.paths import TRAJECTORIES
from tests.tracking.fakes import BrightSpotEngine, frame


def moving_boxes(count=30):
    return [np.array([100 + 3 * i, 80 + 2 * i, 40 + 0.5 * i, 30 + 0.4 * i]) for i in range(count)]


@pytest.mark.parametrize("smoothing", ["once", "twice"])
@pytest.mark.parametrize("template", [127, 128])
def test_follows_a_moving_growing_target(smoothing, template):
    boxes = moving_boxes()
    loop = Loop(BrightSpotEngine(), Parameters(size_smoothing=smoothing, template_size=template))
    loop.start(frame(boxes[0]), boxes[0])
    overlaps = [iou(loop.step(frame(box)).box, box) for box in boxes[1:]]
    assert min(overlaps) > 0.75
    assert loop.engine.templates[0].shape == (template, template, 3)


def test_smoothing_once_follows_a_jump_in_size_faster():
    def size_after(smoothing):
        loop = Loop(BrightSpotEngine(), Parameters(size_smoothing=smoothing))
        loop.start(frame((100, 100, 40, 40)), (100, 100, 40, 40))
        return loop.step(frame((95, 95, 50, 50))).box[2]

    assert 40 < size_after("twice") < size_after("once") < 50


@pytest.mark.parametrize(("box", "size"), [((100, 100, 40, 40), 256), ((100, 100, 12, 12), 288)])
def test_small_targets_get_the_larger_search_crop(box, size):
    loop = Loop(BrightSpotEngine())
    loop.start(frame(box), box)
    loop.step(frame(box))
    assert loop.search_crop.shape == (size, size, 3)
    assert loop.score_map.shape == (size // 16, size // 16)


@pytest.mark.parametrize(("anchor", "moves"), [("state", True), ("crop", False)])
def test_only_the_published_anchor_pushes_a_resting_target_off(anchor, moves):
    # Cut at whole pixels, a crop's middle lies half a pixel before the place it is cut around.
    box = np.array([101.0, 81.0, 40.0, 40.0])
    loop = Loop(BrightSpotEngine(), Parameters(anchor=anchor, context=0.6))
    loop.start(frame(box), box)
    centers = [loop.step(frame(box)).box[:2] + loop.box[2:] / 2 for _ in range(20)]
    off = np.mean(centers, axis=0) - (box[:2] + box[2:] / 2)
    assert (np.abs(off).max() > 0.3) == moves


class _Rounding(BrightSpotEngine):
    """The same answers, each a little larger."""

    def track(self, image):
        score, distances = super().track(image)
        return score, distances + np.float32(1e-4)


@pytest.mark.parametrize(("anchor", "adds_up"), [("state", True), ("crop", False)])
def test_rounding_of_engines_adds_up_only_with_the_published_anchor(anchor, adds_up):
    boxes = moving_boxes(40)
    loops = [Loop(e(), Parameters(anchor=anchor)) for e in (BrightSpotEngine, _Rounding)]
    for loop in loops:
        loop.start(frame(boxes[0]), boxes[0])
    apart = [np.abs(loops[0].step(f).box - loops[1].step(f).box).max() for f in map(frame, boxes)]
    assert (max(apart) > 1e-3) == adds_up
    assert adds_up or max(apart) < 2e-4


def test_bgr_frames_reach_the_engine_as_rgb():
    image = frame((100, 100, 40, 40))
    image[..., 2] = 200
    image[100:140, 100:140] = 255
    results = []
    for array, color in ((image, "rgb"), (image[..., ::-1].copy(), "bgr")):
        loop = Loop(BrightSpotEngine())
        loop.start(array, (100, 100, 40, 40), color)
        loop.step(array, color)
        results.append((loop.engine.templates[0], loop.search_crop))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_box_stays_in_the_image_and_has_a_minimum_size():
    loop = Loop(BrightSpotEngine())
    loop.start(frame((300, 220, 15, 15)), (300, 220, 15, 15))
    for step in range(10):
        box, _ = loop.step(frame((300 + 3 * step, 220 + 3 * step, 15, 15)))
        assert (box[:2] >= 0).all()
        assert (box[2:] >= 10).all()
        assert box[0] + box[2] / 2 <= 320
        assert box[1] + box[3] / 2 <= 240


@pytest.mark.parametrize("orders", itertools.product(("rgb", "bgr"), repeat=2))
def test_what_lies_outside_has_the_frames_mean_in_any_order_of_channels(orders):
    seen = []

    class Watching(BrightSpotEngine):
        def track(self, image):
            seen.append(image)
            return super().track(image)

    image = np.full((240, 320, 3), (200, 60, 10), np.uint8)
    loop = Loop(Watching())
    for call, order in zip((loop.start, loop.step), orders, strict=True):
        given = image if order == "rgb" else np.ascontiguousarray(image[..., ::-1])
        call(given, *[(0, 0, 40, 40)] * (call == loop.start), order)
    assert seen[-1][0, 0].tolist() == [200, 60, 10]


def test_a_held_box_stays_within_a_frame_that_became_smaller():
    loop = Loop(BrightSpotEngine(score=0.4), Parameters(hold_below=0.5))
    loop.start(np.zeros((480, 640, 3), np.uint8), (500, 400, 40, 30))
    box, _ = loop.step(np.zeros((240, 320, 3), np.uint8))
    assert box[0] < 320 and box[1] < 240


@pytest.mark.parametrize(("threshold", "moves"), [(0.0, True), (0.5, False)])
def test_hold_below_keeps_the_box_where_the_score_is_low(threshold, moves):
    loop = Loop(BrightSpotEngine(score=0.4), Parameters(hold_below=threshold))
    loop.start(frame((100, 100, 40, 40)), (100, 100, 40, 40))
    box, score = loop.step(frame((116, 100, 40, 40)))
    assert score == pytest.approx(0.4)
    assert (abs(box[0] - 100) > 5) == moves


@pytest.mark.parametrize(("strength", "expected"), [(0.0, 40), (0.5, 44), (1.0, 48)])
def test_calibration_keeps_the_way_the_first_box_was_drawn(strength, expected):
    # The engine sees a square of 40; the user's box is a fifth wider and 4 px to the left of it.
    given = np.array([92.0, 100.0, 48.0, 40.0])
    loop = Loop(BrightSpotEngine(score=1.0), Parameters(calibrate=strength, penalty_k=0, lr=1.0))
    loop.start(frame((100, 100, 40, 40)), given)
    for step in range(1, 12):
        box, _ = loop.step(frame((100 + 2 * step, 100, 40, 40)))
    assert box[2] == pytest.approx(expected, abs=1.5)
    center = 120 + 22 - 4 * strength
    assert box[0] + box[2] / 2 == pytest.approx(center, abs=1.5)


def test_calibration_ignores_an_answer_that_is_far_off():
    loop = Loop(BrightSpotEngine(), Parameters(calibrate=1.0))
    loop.start(frame((100, 100, 40, 40)), (80, 80, 80, 80))
    assert loop.step(frame((100, 100, 40, 40))).box[2] < 80


def test_calibration_ignores_an_answer_in_another_place():
    loop = Loop(BrightSpotEngine(), Parameters(calibrate=1.0, lr=1.0))
    loop.start(frame((160, 100, 40, 40)), (100, 100, 40, 40))
    for _ in range(3):
        box = loop.step(frame((100, 100, 40, 40))).box
    assert box[0] == pytest.approx(100, abs=4)


class TestBadInput:
    @pytest.mark.parametrize(
        ("box", "words"),
        [
            ((10, 10, 0, 5), "no area"),
            ((10, 10, 5, -3), "no area"),
            ((float("nan"), 10, 5, 5), "NaN"),
            ((400, 10, 5, 5), "outside the image of 320x240"),
            ((-50, 10, 20, 20), "outside"),
            ((1, 2, 3), "has 3 numbers"),
            ((0.4, 0.3, 0.1, 0.2), "smaller than a pixel.*pixels"),
            ((0, 0, 5e4, 5e4), "more than 4 times as large as the image of 320x240"),
            ((0, 0, 5, 1e300), "more than 4 times"),
            ("abcd", "not four numbers"),
        ],
    )
    def test_boxes(self, box, words):
        with pytest.raises(BoxError, match=words):
            Loop(BrightSpotEngine()).start(frame((0, 0, 9, 9)), box)

    def test_a_refused_start_keeps_the_former_target(self):
        loop = Loop(BrightSpotEngine())
        loop.start(frame((100, 100, 40, 40)), (100, 100, 40, 40))
        with pytest.raises(BoxError):
            loop.start(frame((0, 0, 9, 9)), (1, 1, 0, 0))
        assert loop.box.tolist() == [100, 100, 40, 40]
        with pytest.raises(ImageError):
            loop.step(np.zeros((0, 0, 3), np.uint8))
        assert loop.box.tolist() == [100, 100, 40, 40]

    @pytest.mark.parametrize("anchor", ["state", "crop"])
    @pytest.mark.parametrize("box", [(3, 3, 1, 1e-9), (3, 3, 1e-9, 1), (0, 0, 1280, 960)])
    def test_boxes_at_the_edge_of_what_is_taken(self, box, anchor):
        loop = Loop(BrightSpotEngine(), Parameters(anchor=anchor))
        loop.start(frame((0, 0, 9, 9)), box)
        assert np.isfinite(loop.step(frame((0, 0, 9, 9))).box).all()

    @pytest.mark.parametrize("place", [(np.nan, 1), (1, np.inf), (1, 2, 3), "ab", None])
    def test_places_to_move_to(self, place):
        loop = Loop(BrightSpotEngine())
        loop.start(frame((100, 100, 40, 40)), (100, 100, 40, 40))
        with pytest.raises(BoxError, match="two finite numbers"):
            loop.move_to(place)
        assert loop.box.tolist() == [100, 100, 40, 40]

    @pytest.mark.parametrize("place", [(1e300, 5), (-1e300, -5)])
    def test_a_place_far_outside_is_brought_to_the_border(self, place):
        loop = Loop(BrightSpotEngine(), Parameters(association=True, anchor="crop"))
        loop.start(frame((100, 100, 40, 40)), (100, 100, 40, 40))
        loop.move_to(place)
        box, _ = loop.step(frame((100, 100, 40, 40)))
        assert np.isfinite(box).all() and (box[:2] <= (320, 240)).all()

    def test_evidence_before_start(self):
        with pytest.raises(ParameterError, match="no target"):
            _ = Loop(BrightSpotEngine()).evidence

    def test_before_start(self):
        loop = Loop(BrightSpotEngine())
        for use in (lambda: loop.step(frame((0, 0, 9, 9))), lambda: loop.move_to((10, 10))):
            with pytest.raises(ParameterError, match="call init"):
                use()


def test_the_next_step_looks_where_it_was_told():
    image = frame((300, 200, 20, 20), (300, 400))
    loop = Loop(BrightSpotEngine())
    loop.start(image, (40, 40, 20, 20))
    loop.step(image)
    assert loop.search_crop.max() < 255
    loop.move_to((310, 210))
    box, _ = loop.step(image)
    np.testing.assert_allclose(box[:2] + box[2:] / 2, (310, 210), atol=3)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_copies_track_on_independently(make):
    loop = Loop(BrightSpotEngine())
    loop.start(frame((100, 100, 40, 40)), (100, 100, 40, 40))
    twin = make(loop)
    loop.step(frame((120, 100, 40, 40)))
    assert twin.box.tolist() == [100, 100, 40, 40]
    assert twin.step(frame((90, 100, 40, 40))).box[0] < 100


@pytest.mark.parametrize("name", ["Crossing", "Deer", "Couple", "MotorRolling"])
def test_published_trajectories(shared, name):
    import cv2

    golden = np.load(TRAJECTORIES)[f"{name}.boxes"]
    frames = sorted((shared / "sequences" / "OTB100" / name / "img").glob("*.jpg"))
    tracker = ETTracker(
        shared / "weights" / "lighttrack_mobile.npz",
        "lt_mobile",
        engine="torch",
        color="bgr",
        threads=1,
    )
    tracker.init(cv2.imread(str(frames[0])), golden[0])
    boxes = [tracker.update(cv2.imread(str(path))).box for path in frames[1:]]
    np.testing.assert_allclose(boxes, golden[1:], atol=1e-3)


@pytest.mark.parametrize(("spoilt", "value"), [(0, np.nan), (1, np.nan), (0, np.inf), (1, np.inf)])
def test_an_answer_that_is_not_finite_is_an_error_and_moves_nothing(spoilt, value):
    class Broken(BrightSpotEngine):
        def track(self, image):
            maps = super().track(image)
            maps[spoilt][..., 3, 5] = value
            return maps

    loop = Loop(BrightSpotEngine(), Parameters(hold_below=0.5, calibrate=1.0))
    loop.start(frame((100, 80, 40, 30)), (100, 80, 40, 30))
    before = loop.box
    loop.engine = Broken()
    with pytest.raises(EngineError, match="not finite"):
        loop.step(frame((103, 82, 40, 30)))
    assert np.array_equal(loop.box, before)
    with pytest.raises(EngineError, match="not finite"):
        loop.start(frame((9, 9, 40, 30)), (9, 9, 40, 30))
    # The engine has the new target's template: the former one's box must not follow it.
    with pytest.raises(ParameterError, match="no target"):
        loop.step(frame((103, 82, 40, 30)))
