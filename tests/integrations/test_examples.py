"""docs/examples/: each script run as a user runs it, on a rendered clip."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pytracking_et.boxes import iou
from pytracking_et.integrations.opencv import TrackerET
from pytracking_et.live.clip import render
from pytracking_et.network.weights import PACKAGE_WEIGHTS
from pytracking_et.tracking import Loop, Parameters

from ..conftest import ROOT
from ..tracking.fakes import BrightSpotEngine

EXAMPLES = ROOT / "docs" / "examples"
FRAMES = 12


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """(video file, true boxes (N, 4)): the balloon of `ettrack demo`, its first frames."""
    frames = [frame for _, frame in zip(range(FRAMES), render(150), strict=False)]
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    height, width = frames[0].image.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (width, height))
    for frame in frames:
        writer.write(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path, np.array([frame.box for frame in frames])


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, *words):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Window:
    """OpenCV's window functions for a test without a screen: a box is drawn, frames are kept."""

    def __init__(self, monkeypatch, box):
        self.shown = []
        monkeypatch.setattr(cv2, "selectROI", lambda title, frame: box, raising=False)
        monkeypatch.setattr(cv2, "imshow", lambda title, frame: self.shown.append(frame))
        monkeypatch.setattr(cv2, "waitKey", lambda delay: -1)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)


def test_opencv_select_roi(clip, checkpoint, monkeypatch):
    path, boxes = clip
    window = Window(monkeypatch, tuple(int(value) for value in boxes[0]))
    monkeypatch.setattr(sys, "argv", ["opencv_select_roi.py", str(path), str(checkpoint)])
    runpy.run_path(str(EXAMPLES / "opencv_select_roi.py"))
    assert len(window.shown) == FRAMES - 1


def test_weights_of_either_network_may_be_given(clip, checkpoint, monkeypatch):
    """Not LightTrack's alone, which the usage line does not ask for."""
    opened = []
    monkeypatch.setattr(TrackerET, "create", lambda **options: opened.append(options) or 1 / 0)
    for weights in (PACKAGE_WEIGHTS / "et_tracker.safetensors", checkpoint):
        monkeypatch.setattr(sys, "argv", ["opencv_select_roi.py", str(clip[0]), str(weights)])
        with pytest.raises(ZeroDivisionError):
            runpy.run_path(str(EXAMPLES / "opencv_select_roi.py"))
    assert [one["parameter"] for one in opened] == ["et_tracker", "lt_mobile"]


def test_opencv_select_roi_without_a_box(clip, checkpoint, monkeypatch):
    """Escape, or the key "c": OpenCV gives zeros."""
    Window(monkeypatch, (0, 0, 0, 0))
    monkeypatch.setattr(sys, "argv", ["opencv_select_roi.py", str(clip[0]), str(checkpoint)])
    with pytest.raises(SystemExit, match="no box was drawn"):
        runpy.run_path(str(EXAMPLES / "opencv_select_roi.py"))


@pytest.mark.parametrize(
    ("name", "words", "needs", "told"),
    [
        ("opencv_select_roi", [], "cv2", "python opencv_select_roi.py VIDEO"),
        ("run_exported", [], "onnxruntime", "python run_exported.py graphs video.mp4"),
        ("run_exported", ["gone", "gone.mp4"], "onnxruntime", "X Y WIDTH HEIGHT"),
        ("run_exported", ["gone", "gone.mp4", *"1234"], "onnxruntime", "gone: no metadata.json"),
        ("norfair_detections", [], "norfair", "python norfair_detections.py VIDEO"),
        ("norfair_detections", ["gone.mp4", *"1234"], "norfair", "gone.mp4: cannot be opened"),
        ("supervision_detections", [], "supervision", "python supervision_detections.py VIDEO"),
        ("got10k_experiments", [], "got10k", "usage: got10k_experiments.py"),
    ],
)
def test_a_call_that_lacks_something_is_a_sentence(name, words, needs, told, monkeypatch, capsys):
    pytest.importorskip(needs, reason=f"pip install {needs}")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert told in f"{ended.value}{capsys.readouterr().err}"


class Graphs:
    """Stands for onnxruntime: bright pixels are the target, in every graph."""

    def __init__(self, path):
        self.kind = path.rsplit("/", 1)[-1].split("_")[0]

    def run(self, names, inputs):
        if self.kind == "template":
            return [inputs["image"]]
        return BrightSpotEngine().track(inputs["image"][0])


@pytest.mark.parametrize("changes", [{}, {"size_smoothing": "once", "anchor": "crop"}])
def test_run_exported_is_the_loop_of_the_constants_in_the_folder(
    changes, clip, tmp_path, monkeypatch, capsys
):
    """And of no others: not the parameter file's, whose loop `ETTracker("exported")` runs."""
    path, boxes = clip
    constants = Parameters(template_size=128, **changes)
    meta = {"stride": 16, "loop": dataclasses.asdict(constants)}
    (tmp_path / "metadata.json").write_text(json.dumps(meta))
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Graphs))
    monkeypatch.setattr(sys, "argv", ["run_exported.py", *map(str, [tmp_path, path, *boxes[0]])])
    runpy.run_path(str(EXAMPLES / "run_exported.py"))
    video, loop, rows = cv2.VideoCapture(str(path)), Loop(BrightSpotEngine(), constants), []
    loop.start(video.read()[1], boxes[0], "bgr")
    while (read := video.read())[0]:
        box, score = loop.step(read[1], "bgr")
        rows.append(",".join(f"{value:.2f}" for value in box) + f",{score:.3f}")
    assert len(set(rows)) == FRAMES - 1
    assert capsys.readouterr().out.splitlines() == rows


def test_supervision_conversion():
    sv = pytest.importorskip("supervision", reason="pip install supervision")
    found = load("supervision_detections").detections(
        [[1, 2, 3, 4], [10, 20, 5, 6]], [0.9, 0.2], [7, 8]
    )
    assert isinstance(found, sv.Detections)
    np.testing.assert_array_equal(found.xyxy, [[1, 2, 4, 6], [10, 20, 15, 26]])
    assert found.tracker_id.tolist() == [7, 8]
    assert len(found[found.confidence > 0.5]) == 1
    assert len(load("supervision_detections").detections([], [], [])) == 0


@pytest.mark.slow
def test_supervision_detections(clip, lighttrack, tmp_path):
    pytest.importorskip("supervision", reason="pip install supervision")
    path, boxes = clip
    output = tmp_path / "out.mp4"
    run("supervision_detections", path, output, *boxes[0], lighttrack)
    video = cv2.VideoCapture(str(output))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES


def test_norfair_conversion():
    norfair = pytest.importorskip("norfair", reason="pip install norfair")
    found = load("norfair_detections").detection(np.array([1, 2, 3, 4.0]), 0.5, "cat")
    assert isinstance(found, norfair.Detection)
    np.testing.assert_array_equal(found.points, [[1, 2], [4, 6]])
    np.testing.assert_array_equal(found.scores, [0.5, 0.5])
    assert found.label == "cat"


def test_norfair_keeps_a_target_that_leaves_its_own_box_at_each_step(clip, monkeypatch, capsys):
    pytest.importorskip("norfair", reason="pip install norfair")
    example = load("norfair_detections")
    steps = iter(np.cumsum([40, -35, 45, 60, -50, 30, -45, 40, 50, -60, 35]))

    class Jumping:
        def __init__(self, *arguments, **options): ...

        def init(self, image, box): ...

        def update(self, image):
            return np.array([100 + next(steps), 80, 30, 20.0]), 0.9

    monkeypatch.setattr(example, "ETTracker", Jumping)
    example.main(str(clip[0]), [100, 80, 30, 20.0])
    rows = [line.split(",") for line in capsys.readouterr().out.split()]
    assert [(float(row[0]), float(row[1])) for row in rows] == [(n, 1) for n in range(FRAMES)]


@pytest.mark.slow
def test_norfair_detections(clip, lighttrack):
    pytest.importorskip("norfair", reason="pip install norfair")
    path, boxes = clip
    lines = run("norfair_detections", path, *boxes[0], lighttrack).split()
    rows = np.array([[float(value) for value in line.split(",")] for line in lines])
    assert set(rows[:, 1]) == {1.0}, "one target, one identity"
    frames = rows[:, 0].astype(int)
    assert frames[-1] == FRAMES - 1
    assert iou(rows[:, 2:], boxes[frames]).mean() > 0.6
