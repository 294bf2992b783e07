"""pytracking's `Tracker`: names, folders, and the order of calls on one sequence."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.errors import ImageError, ParameterError, ResultsError
from pytracking_et.evaluation import Sequence, Tracker, trackerlist
from pytracking_et.evaluation.tracker import Pause

from .fakes import make_sequence


def test_folders_follow_pytracking(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTRACKING_ET_RESULTS_PATH", str(tmp_path / "r"))
    monkeypatch.setenv("PYTRACKING_ET_SEGMENTATION_PATH", str(tmp_path / "s"))
    single, seventh = Tracker("a", "b"), Tracker("a", "b", 7, "Seven")
    assert Path(single.results_dir) == tmp_path / "r" / "a" / "b"
    assert Path(seventh.results_dir) == tmp_path / "r" / "a" / "b_007"
    assert Path(seventh.segmentation_dir) == tmp_path / "s" / "a" / "b_007"
    named = ("name", "parameter_name", "run_id", "display_name", "visdom")
    assert [getattr(seventh, name) for name in named] == ["a", "b", 7, "Seven", None]
    assert Path(Tracker("a", "b", results_path=tmp_path).results_dir) == tmp_path / "a" / "b"


@pytest.mark.parametrize("send", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_tracker_goes_to_a_pool_of_processes(tmp_path, send):
    tracker = Tracker("a", "b", 3, results_path=tmp_path, threads=2)
    twin = send(tracker)
    assert (twin.spec, twin.run_id, twin.results_dir) == (tracker.spec, 3, tracker.results_dir)


@pytest.mark.parametrize("run_id", ["1", 1.0, True, -1])
def test_run_id_is_none_or_int(run_id):
    with pytest.raises(ParameterError, match="run_id"):
        Tracker("a", "b", run_id)


@pytest.mark.parametrize(
    ("ids", "expected"), [(None, [None]), (2, [2]), (range(3), [0, 1, 2]), ([5], [5])]
)
def test_trackerlist(ids, expected):
    trackers = trackerlist("a", "b", ids, "shown")
    assert [tracker.run_id for tracker in trackers] == expected
    assert {tracker.display_name for tracker in trackers} == {"shown"}


def test_parameters_carry_what_the_harness_knows(fakelab):
    params = Tracker("fake", "other", 3, checkpoint="w.npz", engine="onnx", threads=2)
    params = params.get_parameters()
    names = ("tracker_name", "param_name", "run_id", "checkpoint", "engine", "threads", "strength")
    assert [params.get(n) for n in names] == ["fake", "other", 3, "w.npz", "onnx", 2, 2]


def test_nothing_is_overruled_unless_given(fakelab):
    params = Tracker("fake", "plain").get_parameters()
    assert not any(params.has(name) for name in ("checkpoint", "engine", "threads"))


def test_weights_file_of_the_tracker_class_or_of_the_parameters(fakelab, tmp_path, monkeypatch):
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"x")
    tracker = Tracker("fake", "plain", checkpoint=weights)
    assert tracker.weights_file(tracker.get_parameters()) == weights
    other = tmp_path / "v.npz"
    other.write_bytes(b"y")
    told = staticmethod(lambda params: other)
    monkeypatch.setattr(tracker.tracker_class, "weights_file", told, raising=False)
    assert tracker.weights_file(tracker.get_parameters()) == other
    missing = Tracker("fake", "plain", checkpoint=tmp_path / "none.npz")
    monkeypatch.delattr(tracker.tracker_class, "weights_file")
    assert missing.weights_file(missing.get_parameters()) is None


def test_output_has_one_entry_a_frame(fakelab, tmp_path):
    seen = []
    sequence = make_sequence(tmp_path, frames=4)
    output = Tracker("fake", "plain").run_sequence(sequence, progress=seen.append)
    assert output["target_bbox"][0] == [4, 3, 20, 10]
    assert [len(output[key]) for key in ("target_bbox", "time", "object_presence_score")] == [4] * 3
    assert output["object_presence_score"] == [1.0, 1 / 2, 1 / 3, 1 / 4]
    assert all(type(v) is float for box in output["target_bbox"] for v in box)
    assert seen == [1, 2, 3, 4]


def test_frame_0_takes_what_initialize_returns(fakelab, tmp_path):
    output = Tracker("fake", "initial").run_sequence(make_sequence(tmp_path, frames=2))
    assert output["target_bbox"][0] == [1.5, 2.5, 3.5, 4.5]
    assert output["time"][0] == 0.25
    assert output["object_presence_score"][0] == 0.5


def test_no_scores_from_a_tracker_without(fakelab, tmp_path):
    output = Tracker("fake", "silent").run_sequence(make_sequence(tmp_path))
    assert output["object_presence_score"] == []


class Recorder:
    """Keeps what the harness hands over."""

    def __init__(self, params):
        self.params, self.calls, self.visdom = params, [], None

    def initialize(self, image, info):
        self.calls.append((image, dict(info)))

    def track(self, image, info=None):
        self.calls.append((image, dict(info)))
        return {"target_bbox": np.array([1, 2, 3, 4]), "extra": len(self.calls)}


def test_calls_are_pytrackings(fakelab, tmp_path, monkeypatch):
    made = []
    tracker = Tracker("fake", "plain")
    monkeypatch.setattr(
        tracker, "create_tracker", lambda params: made.append(Recorder(params)) or made[0]
    )
    sequence = make_sequence(tmp_path, frames=3)
    tracker.run_sequence(sequence, debug=0)
    (first, start), (_, second), (_, third) = made[0].calls
    assert first.shape == (24, 32, 3)
    assert first.dtype == np.uint8
    assert start == {"init_bbox": [4, 3, 20, 10]}
    assert list(second) == ["previous_output"]
    assert second["previous_output"]["target_bbox"] == [4, 3, 20, 10]
    assert third["previous_output"]["extra"] == 2
    assert made[0].params.debug == 0
    assert made[0].params.visualization is False


def test_frames_are_rgb(fakelab, tmp_path, monkeypatch):
    import cv2

    path = tmp_path / "red.png"
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 255  # BGR
    cv2.imwrite(str(path), red)
    recorder = Recorder(None)
    tracker = Tracker("fake", "plain")
    monkeypatch.setattr(tracker, "create_tracker", lambda params: recorder)
    tracker.run_sequence(Sequence("red", [str(path)], "otb", [[0, 0, 4, 4]]))
    assert recorder.calls[0][0][0, 0].tolist() == [255, 0, 0]


def test_visdom_draws_each_frame(fakelab, tmp_path):
    tracker = Tracker("fake", "plain")
    tracker.visdom = []  # the fake tracker appends to it
    tracker.run_sequence(make_sequence(tmp_path, frames=3), debug=1)
    assert [shape for shape, _ in tracker.visdom] == [(24, 32, 3)] * 3
    assert all(isinstance(box, list) for _, box in tracker.visdom)


def test_a_tracker_that_draws_nothing_itself_is_drawn(fakelab, tmp_path, monkeypatch):
    """The plug-in of docs/evaluation.md has `initialize` and `track` alone."""

    class Panels(list):
        def register(self, data, mode, level, title):
            self.append((data[0].shape, mode, title))

    tracker = Tracker("fake", "plain")
    tracker.visdom = Panels()
    monkeypatch.delattr(tracker.tracker_class, "visdom_draw_tracking")
    tracker.run_sequence(make_sequence(tmp_path, frames=2), debug=1)
    assert tracker.visdom == [((24, 32, 3), "Tracking", "Tracking")] * 2


@pytest.mark.parametrize("answer", [[1, 2, 3, 4], np.arange(4.0), ([1, 2, 3, 4], 0.5), True])
@pytest.mark.parametrize(("method", "frame"), [("initialize", 0), ("track", 1)])
def test_an_answer_that_is_no_dict_is_told(fakelab, tmp_path, monkeypatch, method, frame, answer):
    tracker = Tracker("fake", "plain")
    monkeypatch.setattr(tracker.tracker_class, method, lambda *_: answer)
    message = f"fake on 'alpha', frame {frame}: the tracker returned .*; it must return a dict"
    with pytest.raises(ResultsError, match=message):
        tracker.run_sequence(make_sequence(tmp_path, frames=3))


def test_a_start_of_a_mask_alone_takes_the_trackers_own_box(fakelab, tmp_path):
    plain = make_sequence(tmp_path, frames=2)
    masks = {0: {"mask": np.ones((24, 32), np.uint8)}}
    sequence = Sequence("m", plain.frames, "otb", plain.ground_truth_rect, init_data=masks)
    tracker = Tracker("fake", "initial")
    kind = tracker.tracker_class
    start = kind.initialize
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            kind, "initialize", lambda self, image, info: start(self, image, {"init_bbox": [0] * 4})
        )
        output = tracker.run_sequence(sequence)
    assert output["target_bbox"][0] == [1.5, 2.5, 3.5, 4.5]


@pytest.mark.parametrize(("width", "message"), [(104.0, "nan"), (105.0, "None")])
def test_bad_boxes_name_tracker_sequence_and_frame(fakelab, tmp_path, width, message):
    sequence = make_sequence(tmp_path, width=width)
    with pytest.raises(ResultsError, match=f"fake on 'alpha', frame 2: target_bbox.*{message}"):
        Tracker("fake", "plain").run_sequence(sequence)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("target_bbox", [1, 2, -3, 4], "w, h >= 0"),
        ("target_bbox", [1, 2, 3, float("inf")], "w, h >= 0"),
        ("target_bbox", [1, 2, 3], "w, h >= 0"),
        ("target_bbox", "box", "w, h >= 0"),
        ("object_presence_score", float("nan"), "finite number"),
        ("object_presence_score", np.float32("inf"), "finite number"),
        ("object_presence_score", "high", "finite number"),
        ("time", float("nan"), "finite number"),
        ("time", -1.0, "seconds from 0 on"),
    ],
)
def test_an_answer_that_is_none_fails_the_sequence(
    fakelab, tmp_path, monkeypatch, name, value, message
):
    tracker = Tracker("fake", "plain")
    answer = {"target_bbox": [1, 2, 3, 4], name: value}
    monkeypatch.setattr(tracker.tracker_class, "track", lambda *_: answer)
    with pytest.raises(ResultsError, match=f"frame 1: {name} is .*{message}"):
        tracker.run_sequence(make_sequence(tmp_path, frames=3))


def test_a_frame_of_another_size_is_told(fakelab, tmp_path):
    sequence = make_sequence(tmp_path, frames=4)
    small = make_sequence(tmp_path / "small", frames=4, size=(12, 16))
    for number in (2, 3):
        Path(sequence.frames[number]).write_bytes(Path(small.frames[number]).read_bytes())
    with pytest.warns(UserWarning, match="'alpha', frame 2: 16x12 pixels, the frame before 32x24"):
        Tracker("fake", "plain").run_sequence(sequence)


def test_truncated_frame_is_named(fakelab, tmp_path):
    sequence = make_sequence(tmp_path)
    path = Path(sequence.frames[2])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match="0003.png"):
        Tracker("fake", "plain").run_sequence(sequence)


def test_several_targets_are_refused(fakelab, tmp_path):
    sequence = make_sequence(tmp_path)
    sequence.multiobj_mode = True
    with pytest.raises(ParameterError, match="several targets"):
        Tracker("fake", "plain").run_sequence(sequence)


@pytest.mark.parametrize(("name", "parameter"), [("nobody", "plain"), ("fake", "nothing")])
def test_unknown_names_list_what_there_is(fakelab, tmp_path, name, parameter):
    with pytest.raises(ParameterError, match="there are: .*(fake|plain)"):
        Tracker(name, parameter).run_sequence(make_sequence(tmp_path))


def key(name):
    return {"event_type": "KeyPress", "key": name}


def test_space_pauses_and_the_arrow_steps():
    pause = Pause()
    pause.on_event({"event_type": "Click", "key": " "})
    pause.on_event(key("ArrowRight"))  # nothing to step while running
    pause.wait()
    pause.on_event(key(" "))
    passed = []

    def frames():
        for number in range(3):
            pause.wait()
            passed.append(number)

    thread = threading.Thread(target=frames, daemon=True)
    thread.start()
    thread.join(0.3)
    assert passed == []
    pause.on_event(key("ArrowRight"))
    for _ in range(100):
        thread.join(0.3)  # once more after the step, in which it must not go on
        if passed:
            break
    assert passed == [0]
    pause.on_event(key(" "))
    thread.join(10)
    assert passed == [0, 1, 2]
