"""Our tracker under each of pytracking's callers, in a made-up checkout (see `callers`).

The checkout gets our two folders by `install-into`, as a user would put them there.
"""

from __future__ import annotations

import copy
import importlib
import multiprocessing
import pickle
import shutil
import sys
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et import ETTracker
from pytracking_et.errors import BoxError
from pytracking_et.evaluation import Sequence, SequenceList, run_dataset
from pytracking_et.evaluation import Tracker as OurTracker
from pytracking_et.integrations.pytracking_checkout import install

BOX = [50.0, 40.0, 30.0, 20.0]
OTHER = [10.0, 10.0, 60.0, 50.0]

# What a user adds beside our parameter files.
PARAMETER = """
from pytracking.parameter.et_tracker.lt_mobile import parameters as base

def parameters():
    params = base()
    params.checkpoint = {checkpoint!r}
    params.engine, params.threads = "torch", 1
    return params
"""


def rgb(seed):
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


FRAMES = [rgb(seed) for seed in range(10)]
BGR = [np.ascontiguousarray(frame[..., ::-1]) for frame in FRAMES]


def make_checkout(root: Path) -> Path:
    package = root / "pytracking"
    for name in ("", "tracker", "parameter", "evaluation"):
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").touch()
    shutil.copyfile(Path(__file__).with_name("callers.py"), package / "evaluation" / "tracker.py")
    return root


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Root of the made-up checkout, on the path; its modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(make_checkout(tmp_path / "theirs")))
    yield tmp_path / "theirs"
    for name in [name for name in sys.modules if name.split(".")[0] == "pytracking"]:
        del sys.modules[name]


@pytest.fixture
def theirs(checkout, checkpoint):
    """pytracking.evaluation.tracker with our tracker installed and a parameter file "mine"."""
    install(checkout)
    file = checkout / "pytracking" / "parameter" / "et_tracker" / "mine.py"
    file.write_text(PARAMETER.format(checkpoint=str(checkpoint)), encoding="utf-8")
    importlib.invalidate_caches()
    return importlib.import_module("pytracking.evaluation.tracker")


@pytest.fixture
def tracker(theirs):
    return theirs.Tracker("et_tracker", "mine")


@pytest.fixture
def expected(checkpoint):
    """Boxes by our own API: of the frames after the first."""

    def track(box, frames, color="rgb"):
        own = ETTracker(checkpoint, "lt_mobile", "torch", color=color, threads=1)
        own.init(frames[0], box)
        return [own.update(frame).box.tolist() for frame in frames[1:]]

    return track


def test_only_a_directory_in_the_tree_is_seen(checkout):
    module = importlib.import_module("pytracking.evaluation.tracker")
    assert module.Tracker("et_tracker", "mine").tracker_class is None
    install(checkout)
    assert module.Tracker("et_tracker", "mine").tracker_class.__name__ == "ETTrack"


class TestDatasets:
    def test_run_sequence(self, tracker, expected):
        box = [np.float64(value) for value in BOX]
        output = tracker.run_sequence(FRAMES, box)
        assert output["target_bbox"] == [BOX, *expected(BOX, FRAMES)]
        assert len(set(output["time"])) == len(FRAMES), "no time is reported twice"
        assert len(output["object_presence_score"]) == len(FRAMES)
        assert all(0 <= score <= 1 for score in output["object_presence_score"])

    def test_each_sequence_starts_anew(self, tracker):
        first = tracker.run_sequence(FRAMES, BOX)["target_bbox"]
        tracker.run_sequence(FRAMES[::-1], OTHER)
        assert tracker.run_sequence(FRAMES, BOX)["target_bbox"] == first

    def test_several_targets_in_the_wrapper(self, tracker, expected):
        output = tracker.run_sequence(FRAMES, OrderedDict({"a": BOX, "b": OTHER}))
        boxes = output["target_bbox"]
        assert [frame["a"] for frame in boxes[1:]] == expected(BOX, FRAMES)
        assert [frame["b"] for frame in boxes[1:]] == expected(OTHER, FRAMES)

    def test_several_targets_are_saved(self, theirs, tracker, tmp_path):
        targets = OrderedDict({"a": BOX, "b": OTHER})
        theirs.save_results(tmp_path / "all", "s", tracker.run_sequence(FRAMES, targets))
        for key, box in targets.items():
            theirs.save_results(tmp_path / "one", "s", tracker.run_sequence(FRAMES, box))
            for ending in ("", "_object_presence_scores"):
                alone = (tmp_path / "one" / f"s{ending}.txt").read_bytes()
                assert (tmp_path / "all" / f"s_{key}{ending}.txt").read_bytes() == alone
        assert len((tmp_path / "all" / "s_time.txt").read_text().split()) == len(FRAMES)

    def test_files_equal_those_of_our_harness(self, theirs, tracker, tmp_path, checkpoint):
        paths = [str(tmp_path / f"{index:04d}.png") for index in range(len(FRAMES))]
        for path, frame in zip(paths, BGR, strict=True):
            cv2.imwrite(path, frame)
        theirs.save_results(tmp_path / "theirs", "s", tracker.run_sequence(FRAMES, BOX))
        sequence = Sequence("s", paths, "otb", np.array([BOX] * len(FRAMES)))
        ours = OurTracker(
            "et_tracker",
            "lt_mobile",
            checkpoint=checkpoint,
            engine="torch",
            threads=1,
            results_path=tmp_path / "ours",
        )
        assert not run_dataset(SequenceList([sequence]), [ours]).failed
        for name in ("s.txt", "s_object_presence_scores.txt"):
            expected = (tmp_path / "theirs" / name).read_bytes()
            assert (Path(ours.results_dir) / name).read_bytes() == expected
        lines = (Path(ours.results_dir) / "s_time.txt").read_text().splitlines()
        assert len(lines) == len(FRAMES)

    @pytest.mark.slow
    def test_spawned_worker(self, theirs):
        """Parameters and results travel by pickle; the child imports the plug-in for itself."""
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            words = ("et_tracker", "mine", FRAMES[:3], BOX)
            boxes = pool.apply_async(theirs.run_in_worker, words).get(timeout=300)
        assert boxes == theirs.run_in_worker(*words)


class TestLive:
    def test_webcam_script(self, tracker, expected):
        """track() before initialize, a second target, reset to no ids, then a new first target."""
        script = {1: ("box", BOX), 3: ("box", OTHER), 5: ("reset",), 7: ("box", OTHER)}
        boxes = tracker.run_webcam(BGR, script)
        assert [sorted(frame) for frame in boxes] == [
            [], [1], [1], [1, 2], [1, 2], [1, 2], [], [1], [1], [1]
        ]  # fmt: skip
        assert [boxes[index][1] for index in range(2, 6)] == expected(BOX, BGR[1:6], "bgr")
        assert [boxes[index][2] for index in range(4, 6)] == expected(OTHER, BGR[3:6], "bgr")
        assert [boxes[index][1] for index in range(8, 10)] == expected(OTHER, BGR[7:], "bgr")
        assert tracker.wrapper.built == 1, "targets are copies, not built anew"

    def test_frames_taken_as_rgb_would_track_otherwise(self, tracker, expected):
        boxes = tracker.run_webcam(BGR, {0: ("box", BOX)})
        assert [frame[1] for frame in boxes[1:]] != expected(BOX, BGR)

    def test_video_with_a_box(self, tracker, expected):
        boxes = tracker.run_video(BGR, BOX, {2: ("box", OTHER)})
        assert [frame[1] for frame in boxes] == expected(BOX, BGR, "bgr")
        assert [frame[2] for frame in boxes[3:]] == expected(OTHER, BGR[3:], "bgr")

    def test_wrapper_without_info(self, theirs, tracker, expected):
        wrapper = theirs.MultiObjectWrapper(
            tracker.tracker_class, tracker.get_parameters(), fast_load=True
        )
        info = {"init_object_ids": [4], "init_bbox": OrderedDict({4: BOX})}
        assert not wrapper.track(FRAMES[0]), "no target yet: an empty output"
        wrapper.initialize(FRAMES[0], info)
        assert wrapper.track(FRAMES[1])["target_bbox"][4] == expected(BOX, FRAMES[:2])[0]


class TestVot:
    def test_vot2020(self, tracker, expected):
        reports = tracker.run_vot2020(FRAMES, BOX)
        assert {kind for kind, _, _ in reports} == {"rectangle"}
        assert [box for _, box, _ in reports] == expected(BOX, FRAMES)

    def test_old_polygon_protocol(self, tracker, expected):
        polygon = [50, 50, 65, 40, 80, 50, 65, 60]
        assert tracker.run_vot(FRAMES, polygon) == expected([50, 40, 30, 20], FRAMES)


class TestVisdom:
    PANELS = {
        ("Tracking", "Tracking", 1),
        ("Score Map", "heatmap", 2),
        ("Search Region", "image", 2),
        ("Max Score", "lineplot", 3),
    }

    def test_data_set(self, tracker):
        tracker.run_sequence(FRAMES[:3], BOX, debug=3, visualization=True)
        assert set(tracker.visdom.calls) == self.PANELS

    def test_several_targets(self, tracker):
        boxes = OrderedDict({1: BOX, 2: OTHER})
        tracker.run_sequence(FRAMES[:3], boxes, debug=3, visualization=True)
        assert set(tracker.visdom.calls) == self.PANELS

    def test_webcam(self, tracker):
        tracker.run_webcam(BGR[:4], {1: ("box", BOX)}, debug=3, visualization=True)
        assert set(tracker.visdom.calls) == self.PANELS


class TestOddCases:
    def test_parameters_pickle_and_copy(self, tracker):
        params = tracker.get_parameters()
        for twin in (pickle.loads(pickle.dumps(params)), copy.deepcopy(params)):
            assert vars(twin) == vars(params)

    def test_a_running_tracker_is_copied_with_its_state(self, tracker):
        own = tracker.create_tracker(tracker.get_parameters())
        own.initialize(FRAMES[0], {"init_bbox": BOX})
        own.track(FRAMES[1])
        twin = copy.deepcopy(own)
        own.track(FRAMES[5])
        fresh = tracker.run_sequence(FRAMES[:3], BOX)["target_bbox"]
        assert twin.track(FRAMES[2])["target_bbox"] == fresh[2]

    @pytest.mark.parametrize("info", [None, {}, OrderedDict(previous_output={})])
    def test_info_of_later_frames_does_not_matter(self, tracker, info, expected):
        own = tracker.create_tracker(tracker.get_parameters())
        own.initialize(FRAMES[0], {"init_bbox": BOX, "init_mask": None, "object_ids": [1]})
        assert own.track(FRAMES[1], info)["target_bbox"] == expected(BOX, FRAMES[:2])[0]

    def test_dict_of_boxes_without_the_wrapper(self, tracker):
        """Mode "default" forced by hand: an error that says what to do."""
        own = tracker.create_tracker(tracker.get_parameters())
        with pytest.raises(BoxError, match="multiobj_mode 'parallel'"):
            own.initialize(FRAMES[0], {"init_bbox": OrderedDict({1: BOX})})

    def test_attributes_that_the_harness_puts_into_the_bag(self, tracker, recwarn):
        tracker.run_vot2020(FRAMES[:2], BOX)
        tracker.run_vot(FRAMES[:2], [50, 40, 80, 40, 80, 60, 50, 60])
        assert [str(w.message) for w in recwarn if "is read by nothing" in str(w.message)] == []
