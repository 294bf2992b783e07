"""What pytracking's callers do with a tracker (interface: BaseTracker, info and out)."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from pytracking_et.errors import BoxError, EngineError, ParameterError
from pytracking_et.tracker import plugins
from pytracking_et.tracker.et_tracker import get_tracker_class
from pytracking_et.tracker.params import TrackerParams


@pytest.fixture
def tracker(checkpoint):
    params = plugins.parameters("et_tracker", "lt_mobile")
    params.checkpoint, params.engine = str(checkpoint), "torch"
    # Set by pytracking's harness on every bag.
    params.visualization, params.debug = False, 0
    params.tracker_name, params.param_name = "et_tracker", "lt_mobile"
    return get_tracker_class()(params)


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


def test_contract(tracker):
    assert tracker.multiobj_mode == "parallel"
    assert tracker.predicts_segmentation_mask() is False
    tracker.initialize_features()
    out = tracker.initialize(image(), {"init_bbox": [np.float64(v) for v in (50, 40, 30, 20)]})
    assert out["target_bbox"] == [50, 40, 30, 20]
    assert all(type(value) is float for value in out["target_bbox"])
    assert out["object_presence_score"] == 1
    assert out["time"] > 0
    first, times = out, []
    for seed in range(1, 4):
        out = tracker.track(image(seed), {"previous_output": OrderedDict()})
        assert list(out) == list(first), "the wrapper asks a new target for an old one's keys"
        assert type(out["target_bbox"]) is list
        assert all(type(v) is float for v in out["target_bbox"])
        assert 0 <= out["object_presence_score"] <= 1
        times.append(out["time"])
    assert len(set(times)) == 3, "each frame has a time of its own"


@pytest.mark.parametrize("info", [None, {}, {"previous_output": {"target_bbox": [0, 0, 1, 1]}}])
def test_state_lies_on_the_object(tracker, info):
    tracker.initialize(image(), {"init_bbox": [50, 40, 30, 20]})
    expected = copy.deepcopy(tracker).track(image(1))["target_bbox"]
    assert tracker.track(image(1), info)["target_bbox"] == expected


def test_copy_before_initialize_as_the_multi_object_wrapper_does(tracker):
    tracker.initialize_features()
    first, second = copy.deepcopy(tracker), copy.deepcopy(tracker)
    first.initialize(image(), {"init_bbox": [50, 40, 30, 20]})
    second.initialize(image(), {"init_bbox": [10, 10, 60, 50]})
    assert first._loop.engine.runtime is second._loop.engine.runtime
    assert first.track(image(1))["target_bbox"] != second.track(image(1))["target_bbox"]


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_its_target(tracker, make):
    tracker.initialize(image(), {"init_bbox": [50, 40, 30, 20]})
    expected = copy.deepcopy(tracker).track(image(1))["target_bbox"]
    twin = make(tracker)
    tracker.initialize(image(2), {"init_bbox": [10, 10, 60, 50]})
    tracker.track(image(3))
    assert twin.track(image(1))["target_bbox"] == expected


def test_a_tracker_with_a_network_cannot_be_pickled(tracker):
    tracker.initialize_features()
    with pytest.raises(EngineError, match="cannot be pickled"):
        pickle.dumps(tracker)


@pytest.mark.parametrize("info", [{}, {"init_bbox": {1: [1, 1, 5, 5]}}, {"init_bbox": None}])
def test_initialize_without_a_box(tracker, info):
    with pytest.raises(BoxError, match="init_bbox"):
        tracker.initialize(image(), info)


def test_track_before_initialize(tracker):
    with pytest.raises(BoxError, match="before initialize"):
        tracker.track(image())
    tracker.initialize_features()
    with pytest.raises(ParameterError, match="no target yet"):
        tracker.track(image())


def test_a_channel_order_that_is_none_is_told_and_not_taken_for_bgr(tracker):
    tracker.initialize(image(), {"init_bbox": [50, 40, 30, 20]})
    expected = copy.deepcopy(tracker).track(image(1))["target_bbox"]
    tracker.params.color = "RGB"
    with pytest.raises(ParameterError, match="color is 'RGB'; use 'rgb'"):
        tracker.initialize(image(), {"init_bbox": [9, 9, 30, 20]})
    assert tracker.track(image(1))["target_bbox"] == expected


@pytest.mark.parametrize(
    ("module", "function", "color"),
    [
        ("pytracking.evaluation.tracker", "run_video_generic", "bgr"),
        ("pytracking.evaluation.tracker", "run_webcam", "bgr"),
        ("pytracking.evaluation.tracker", "run_sequence", "rgb"),
        ("pytracking_et.live.run", "run_webcam", "rgb"),
        ("mylab.demo", "run_video_generic", "rgb"),
    ],
)
def test_frames_of_pytrackings_live_loops_are_bgr(tracker, module, function, color):
    namespace = {"__name__": module}
    exec(f"def {function}(tracker, image, info): tracker.initialize(image, info)", namespace)
    namespace[function](tracker, image(), {"init_bbox": [50, 40, 30, 20]})
    expected = copy.deepcopy(tracker)
    expected.params = copy.deepcopy(tracker.params)
    expected.params.color = color
    expected.initialize(image(), {"init_bbox": [50, 40, 30, 20]})
    tracker.track(image(1))
    expected.track(image(1))
    np.testing.assert_array_equal(tracker._loop.search_crop, expected._loop.search_crop)


@pytest.mark.parametrize(
    ("module", "function", "said", "wanted"),
    [
        ("pytracking.evaluation.tracker", "run_sequence", None, "f32"),
        ("pytracking_et.evaluation.tracker", "run_sequence", None, "f32"),
        ("pytracking.evaluation.tracker", "run_sequence", "auto", "auto"),
        ("pytracking.evaluation.tracker", "run_sequence", "bf16", "bf16"),
        ("pytracking.evaluation.tracker", "run_webcam", None, "auto"),
        ("pytracking.evaluation.tracker", "run_video_generic", "int8", "int8"),
    ],
)
def test_evaluation_is_float32_unless_asked_otherwise(
    tracker, module, function, said, wanted, monkeypatch
):
    from pytracking_et.tracker import opening

    asked = []
    create = opening.create

    def spy(engine, network, path, threads, precision):
        asked.append(precision)
        return create(engine, network, path, threads, "f32")

    monkeypatch.setattr(opening, "create", spy)
    if said is not None:
        tracker.params.precision = said
    namespace = {"__name__": module}
    exec(f"def {function}(tracker): tracker.initialize_features()", namespace)
    namespace[function](tracker)
    assert asked == [wanted]


def test_choice_for_a_run_is_float32_too(tracker, monkeypatch):
    from pytracking_et.tracker.et_tracker import et_tracker

    class Chosen:
        name = "openvino f32"

    asked = []
    monkeypatch.setattr(et_tracker, "create", lambda *arguments: asked.append(arguments) or Chosen)
    tracker.params.engine = "auto"
    assert tracker.chosen_engine(tracker.params) == ("openvino", "f32")
    tracker.params.precision = "auto"
    tracker.chosen_engine(tracker.params)
    assert [(call[0], call[-1]) for call in asked] == [("auto", "f32"), ("auto", "auto")]
    tracker.params.engine = "onxx"  # refused at once, not by every sequence
    with pytest.raises(EngineError, match="'onxx'"):
        tracker.chosen_engine(tracker.params)
    tracker.params.engine, tracker.params.precision = "onnx", "f32"
    monkeypatch.setattr("pytracking_et.engines.select.installed", lambda engine: False)
    with pytest.raises(EngineError, match="needs the package onnxruntime"):
        tracker.chosen_engine(tracker.params)


class Recorder:
    """Stands for pytracking's Visdom wrapper."""

    def __init__(self):
        self.calls = []

    def register(self, data, mode, debug_level=0, title="Data"):
        self.calls.append((title, mode, debug_level))


@pytest.mark.parametrize(("ids", "suffix"), [({}, ""), ({"object_ids": [7]}, " 7")])
def test_drawing(tracker, ids, suffix):
    tracker.visdom = Recorder()
    tracker.initialize(image(), {"init_bbox": [50, 40, 30, 20], **ids})
    out = tracker.track(image(1))
    tracker.visdom_draw_tracking(image(1), out["target_bbox"])
    assert tracker.visdom.calls == [
        (f"Score Map{suffix}", "heatmap", 2),
        (f"Search Region{suffix}", "image", 2),
        (f"Max Score{suffix}", "lineplot", 3),
        ("Tracking", "Tracking", 1),
    ]


class TestTrackerParams:
    def test_bag(self):
        params = TrackerParams(a=1)
        params.set_default_values({"a": 2, "b": 3})
        assert (params.a, params.b) == (1, 3)
        assert params.get("a") == 1
        assert params.get("c", 9) == 9
        assert params.has("a")
        assert not params.has("c")
        with pytest.raises(AttributeError):
            params.get("c")

    def test_pickles(self):
        bag = plugins.parameters("et_tracker", "et_tracker")
        assert pickle.loads(pickle.dumps(bag)).network == "et_tracker"

    def test_fresh_bag_each_time(self):
        first, second = (plugins.parameters("et_tracker", "lt_mobile") for _ in range(2))
        assert first is not second
