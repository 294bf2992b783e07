"""`peers`: the parameter's `model` says which tracker. All are started anew for each target."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np

from pytracking_et.errors import CheckpointError, ParameterError
from pytracking_et.tracker.base import BaseTracker

from .siamese import FearXS, NanoTrackV3

ROOT = Path(__file__).resolve().parents[4]


def get_tracker_class() -> type[BaseTracker]:
    return Peers


def weights_folder() -> Path:
    """Folder of the ONNX files."""
    return Path(os.environ.get("PYTRACKING_ET_PEERS") or ROOT.parent / "shared" / "peers")


def weights_file(name: str) -> str:
    """Path of an ONNX file; CheckpointError where it is not there."""
    path = weights_folder() / name
    if not path.is_file():
        raise CheckpointError(f"no {path}; name the folder of {name} with PYTRACKING_ET_PEERS")
    return str(path)


class NanoTrackV2:
    """`cv2.TrackerNano`; its boxes are whole pixels."""

    def __init__(self) -> None:
        settings = cv2.TrackerNano_Params()
        settings.backbone = weights_file("nanotrack_backbone_sim.onnx")
        settings.neckhead = weights_file("nanotrack_head_sim.onnx")
        self.tracker = cv2.TrackerNano.create(settings)

    def start(self, image: np.ndarray, box: np.ndarray) -> None:
        rounded = tuple(round(float(value)) for value in box)
        self.tracker.init(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), rounded)

    def step(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        _, box = self.tracker.update(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return np.asarray(box, float), float(self.tracker.getTrackingScore())


MODELS = {
    "nanotrack_v2": NanoTrackV2,
    "nanotrack_v3": lambda: NanoTrackV3(
        weights_file("nanotrack_v3_backbone.onnx"), weights_file("nanotrack_v3_head.onnx")
    ),
    "fear_xs": lambda: FearXS(
        weights_file("fear_xs_template.onnx"), weights_file("fear_xs_search.onnx")
    ),
}


class Peers(BaseTracker):
    """A peer behind pytracking's contract."""

    def __init__(self, params) -> None:
        super().__init__(params)
        if params.model not in MODELS:
            raise ParameterError(f"unknown peer {params.model!r}; one of: {', '.join(MODELS)}")
        self.tracker = MODELS[params.model]()

    def initialize(self, image: np.ndarray, info: dict) -> dict:
        began = time.perf_counter()
        self.tracker.start(image, np.asarray(info["init_bbox"], float))
        return {"time": time.perf_counter() - began}

    def track(self, image: np.ndarray, info: dict | None = None) -> dict:
        began = time.perf_counter()
        box, score = self.tracker.step(image)
        return {
            "target_bbox": [float(value) for value in box],
            "object_presence_score": score,
            "time": time.perf_counter() - began,
        }
