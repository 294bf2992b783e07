from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from pytracking_et import ETTracker, network
from pytracking_et.errors import CheckpointError, EngineError, ParameterError
from pytracking_et.integrations.got10k import GOT10kTracker
from pytracking_et.integrations.opencv import TrackerET
from pytracking_et.network import weights
from pytracking_et.tracker import params as params_module
from pytracking_et.tracker import plugins
from pytracking_et.tracking.parameters import Parameters


def image(seed=0, shape=(120, 160, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def open_tracker(checkpoint, **options):
    return ETTracker(checkpoint, parameter="lt_mobile", engine="torch", threads=1, **options)


def test_three_lines(checkpoint):
    tracker = open_tracker(checkpoint)
    tracker.init(image(), (50, 40, 30, 20))
    box, score = tracker.update(image(1))
    assert box.shape == (4,)
    assert box.dtype == np.float64
    assert 0 <= score <= 1
    assert tracker.score_map.shape == (16, 16)
    assert tracker.search_crop.shape == (256, 256, 3)
    np.testing.assert_array_equal(tracker.box, box)


def test_bgr_per_tracker_and_per_call_equal_rgb(checkpoint):
    boxes = []
    for color, call, flip in (("rgb", None, 1), ("bgr", None, -1), ("rgb", "bgr", -1)):
        tracker = open_tracker(checkpoint, color=color)
        tracker.init(np.ascontiguousarray(image()[..., ::flip]), (50, 40, 30, 20), color=call)
        frame = np.ascontiguousarray(image(1)[..., ::flip])
        boxes.append(tracker.update(frame, color=call).box)
    np.testing.assert_array_equal(boxes[0], boxes[1])
    np.testing.assert_array_equal(boxes[0], boxes[2])


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_copies_share_the_network_and_part_ways(checkpoint, make):
    tracker, alone = open_tracker(checkpoint), open_tracker(checkpoint)
    for one in (tracker, alone):
        one.init(image(), (50, 40, 30, 20))
    twin = make(tracker)
    assert twin._loop.engine.runtime is tracker._loop.engine.runtime
    tracker.init(image(2), (10, 10, 60, 60))
    tracker.update(image(3))
    assert twin.box.tolist() == [50, 40, 30, 20]
    np.testing.assert_array_equal(twin.update(image(4)).box, alone.update(image(4)).box)


@pytest.mark.parametrize("kind", [ETTracker, GOT10kTracker, TrackerET])
@pytest.mark.parametrize("started", [False, True])
def test_a_tracker_cannot_be_pickled(checkpoint, kind, started):
    tracker = kind(checkpoint=checkpoint, parameter="lt_mobile", engine="torch", threads=1)
    if started:
        tracker.init(image(), (50, 40, 30, 20))
    with pytest.raises(EngineError, match="make it in the other process"):
        pickle.dumps(tracker)


def test_network_is_built_once_per_process(checkpoint):
    first, second = open_tracker(checkpoint), open_tracker(checkpoint)
    assert first._loop.engine is not second._loop.engine
    assert first._loop.engine.runtime is second._loop.engine.runtime


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"parameter": "nonsense"}, ParameterError, "there are:.*et_tracker"),
        ({"engine": "quantum"}, EngineError, "quantum.*one of: auto.*torch"),
        ({"threads": 0}, EngineError, "threads is 0"),
        ({"color": "hsv"}, ParameterError, "'hsv'"),
        ({"checkpoint": "gone.npz"}, CheckpointError, "gone.npz"),
    ],
)
def test_errors(checkpoint, options, error, words):
    with pytest.raises(error, match=words):
        ETTracker(**{"checkpoint": checkpoint, "parameter": "lt_mobile", **options})


def test_et_tracker_without_weights_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGE_WEIGHTS", tmp_path)
    with pytest.raises(CheckpointError) as caught:
        ETTracker()
    text = str(caught.value)
    words = ("et_tracker", "--checkpoint", "download official", str(tmp_path))
    assert all(word in text for word in words)


class TestParameterFiles:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("template_size", 128),
            ("search_size", 288),
            ("small_search_size", 320),
            ("small_target", 0.9),
            ("context", 0.8),
            ("penalty_k", 0.9),
            ("window_influence", 0.0),
            ("lr", 0.1),
            ("size_smoothing", "once"),
            ("anchor", "crop"),
            ("minimum_size", 60),
            ("hold_below", 1.0),
            # `association` and `sure_shrink` need scenes: tests/tracking/test_association.py.
            # `calibrate` needs a network that finds the target: tests/tracking/test_loop.py.
        ],
    )
    def test_every_field_has_an_effect(self, checkpoint, monkeypatch, field, value):
        def run(**fields):
            bag = plugins.parameters("et_tracker", "lt_mobile")
            for name, override in fields.items():
                setattr(bag, name, override)
            monkeypatch.setattr(plugins, "parameters", lambda *_names: bag)
            tracker = open_tracker(checkpoint)
            tracker.init(image(), (50, 40, 30, 20))
            return np.array([tracker.update(image(seed)).box for seed in range(1, 4)])

        # The larger crop shows an effect only on a target that counts as small.
        base = {"small_target": 0.9} if field == "small_search_size" else {}
        assert not np.allclose(run(**base), run(**{**base, field: value}))

    def test_a_field_nobody_reads_is_an_error(self):
        bag = plugins.parameters("et_tracker", "et_tracker_published")
        bag.windowinfluence = 0.3
        with pytest.raises(ParameterError, match="did you mean 'window_influence'"):
            params_module.loop_parameters(bag, {})

    def test_a_foreign_field_warns(self):
        bag = plugins.parameters("et_tracker", "et_tracker_published")
        bag.their_own = 3
        with pytest.warns(UserWarning, match="'their_own' = 3"):
            params_module.loop_parameters(bag, {})

    def test_no_harness_field_is_taken_for_a_misspelling(self):
        bag = plugins.parameters("et_tracker", "et_tracker_published")
        for name in params_module.HARNESS_FIELDS:
            setattr(bag, name, None)
        assert params_module.loop_parameters(bag, {}) == Parameters()

    @pytest.mark.parametrize(
        ("name", "lr"), [("et_tracker", 0.4), ("et_tracker_published", 0.616), ("lt_mobile", 0.616)]
    )
    def test_only_our_default_takes_constants_from_the_weights(self, name, lr):
        bag = plugins.parameters("et_tracker", name)
        assert params_module.loop_parameters(bag, {"lr": 0.4}).lr == lr

    @pytest.mark.parametrize("name", network.configurations())
    def test_every_network_has_a_parameter_file(self, name):
        bag = plugins.parameters("et_tracker", name)
        assert bag.network == name
        assert bag.vot_anno_conversion_type == "union"
        if name != "et_tracker":
            assert params_module.loop_parameters(bag, {"lr": 0.4}) == Parameters()

    def test_a_field_set_in_the_file_overrules_the_weights(self):
        bag = plugins.parameters("et_tracker", "et_tracker")
        bag.lr = 0.9
        assert params_module.loop_parameters(bag, {"lr": 0.4}).lr == 0.9


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, pytracking_et, pytracking_et.commands;"
        "heavy = {'torch', 'cv2', 'pandas', 'matplotlib', 'visdom', 'onnxruntime', 'openvino'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
