"""A folder in which the manual's commands work: a clip, tiny data sets, results, random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pytracking_et import network
from pytracking_et.engines import select
from pytracking_et.live.clip import ClipFrame, render
from pytracking_et.network import weights
from pytracking_et.videos import VideoWriter
from tests.evaluation.fakes import write_otb

DATASETS = ("otb", "uav", "lasot")
BOX_FORMAT = {"fmt": "%d", "delimiter": "\t"}


@pytest.fixture(scope="session")
def clip() -> list[ClipFrame]:
    return list(render(frames=10))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory, clip) -> Path:
    """Made once; blocks run in it one after another, as a reader would."""
    folder = tmp_path_factory.mktemp("manual")
    with VideoWriter(folder / "clip.mp4", 30) as writer:
        for frame in clip:
            writer.write(frame.image)
    (folder / "frames").mkdir()
    for number, frame in enumerate(clip[:5], 1):
        bgr = np.ascontiguousarray(frame.image[..., ::-1])
        assert cv2.imwrite(str(folder / "frames" / f"{number:06d}.jpg"), bgr)
    boxes = np.array([frame.box for frame in clip[:5]])
    np.savetxt(folder / "frames" / "groundtruth.txt", boxes, fmt="%d", delimiter=",")
    _weights(folder)
    for name in DATASETS:
        # Results of all sets go into one folder: sequences of the same name would clash there.
        prefix = "uav_" if name == "uav" else ""
        write_otb(folder / "data" / name, (f"{prefix}alpha", 4, 20.0), (f"{prefix}beta", 3, 22.0))
    _results(folder)
    return folder


def _weights(folder: Path) -> None:
    """Random weights: every interface, no accuracy."""
    torch.manual_seed(0)
    (folder / "weights").mkdir()
    for name in ("et_tracker", "lt_mobile"):
        state = network.build(name).state_dict()
        weights.save(folder / "weights" / f"{name}.safetensors", state, {"network": name})
    shutil.copy(folder / "weights" / "et_tracker.safetensors", folder / "weights.safetensors")
    torch.save({"net": state}, folder / "weights.pth")


def _results(folder: Path) -> None:
    """Results of two parameter files and of somebody else's tracker, and plain ground truth."""
    places = ["results/et_tracker/et_tracker", "results/et_tracker/lt_mobile", "results/ATOM"]
    for place in [*places, "annotations/OTB100"]:
        (folder / place).mkdir(parents=True)
        for name, frames, width in (("alpha", 4, 20), ("beta", 3, 22)):
            boxes = np.tile([4, 3, width, 10], (frames, 1))
            np.savetxt(folder / place / f"{name}.txt", boxes, **BOX_FORMAT)
            if "et_tracker" in place:  # beside sub-pixel boxes a run may replace them
                np.savetxt(folder / place / f"{name}_float.txt", boxes, delimiter="\t")


@pytest.fixture
def at_work(workspace, monkeypatch) -> Path:
    """The workspace as current folder, with settings that point into it.

    Of the engines only torch is offered to "auto": preparing the others takes minutes and has
    tests of its own.
    """
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("PYTRACKING_ET_CHECKPOINT", str(workspace / "weights"))
    monkeypatch.setenv("PYTRACKING_ET_CACHE", str(workspace / "cache"))
    monkeypatch.setenv("PYTRACKING_ET_RESULTS_PATH", str(workspace / "results"))
    for name in DATASETS:
        variable = f"PYTRACKING_ET_{name.upper()}_PATH"
        monkeypatch.setenv(variable, str(workspace / "data" / name))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(select, "installed", lambda name: name == "torch")
    return workspace
