"""E.T.Track behind pytracking's BaseTracker contract.

State lives on the object, so that `track(image)` works without `info`, in live modes and in the
multi-object wrapper. Images are RGB, as pytracking's data sets give them; under its webcam and
video loops, which forget to convert, they are taken as the BGR they are (`base.frame_color`).
"""

from __future__ import annotations

import copy
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking_et.boxes import as_box
from pytracking_et.engines import create
from pytracking_et.engines.catalogue import check_names
from pytracking_et.engines.select import require
from pytracking_et.errors import BoxError
from pytracking_et.network import weights
from pytracking_et.tracker.base import BaseTracker, frame_color, in_live_loop
from pytracking_et.tracker.opening import open_loop
from pytracking_et.tracker.params import evaluation_precision
from pytracking_et.tracking.image import Color
from pytracking_et.tracking.loop import Loop


class ETTrack(BaseTracker):
    """One target; the wrapper of pytracking copies it per target (`multiobj_mode`)."""

    multiobj_mode = "parallel"

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._loop: Loop | None = None
        self._color: Color = "rgb"
        self._suffix = ""

    def __copy__(self) -> ETTrack:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _loop=copy.copy(self._loop))
        return twin

    @staticmethod
    def weights_file(params: Any) -> Path:
        """File of the weights that `params` lead to (for run manifests)."""
        return weights.find(params.get("network", "et_tracker"), params.get("checkpoint", None))

    @staticmethod
    def chosen_engine(params: Any) -> tuple[str, str]:
        """Engine and precision, `auto` decided for this machine.

        With one thread, whatever the workers have: one choice for any number of them.

        Raises:
            EngineError: no such engine or precision, or the engine's package is missing.
        """
        engine, precision = params.get("engine", "auto"), evaluation_precision(params)
        check_names(engine, precision, None)
        if engine != "auto":
            require(engine)
        if "auto" in (engine, precision):
            path = ETTrack.weights_file(params)
            network = params.get("network", "et_tracker")
            engine, precision = create(engine, network, path, 1, precision).name.split()
        return engine, precision

    def initialize_features(self) -> None:
        """Open the engine, so that the first frame does not wait for it."""
        if self._loop is None:
            precision = "auto" if in_live_loop() else evaluation_precision(self.params)
            self._loop = open_loop(self.params, precision=precision)

    def initialize(self, image: NDArray[np.uint8], info: dict[str, Any]) -> dict[str, Any]:
        """Start on a frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            info: `init_bbox` = [x, y, w, h] in pixels, 0-based; `object_ids`, of which the first
                names the panels; other keys are ignored.

        Returns:
            The keys of `track`, since pytracking's wrapper asks every target for the keys of the
            first: target_bbox as given, object_presence_score 1, time.
        """
        start = time.perf_counter()
        box = info.get("init_bbox")
        if box is None or isinstance(box, dict):
            raise BoxError(
                f"init_bbox is {box!r}; give one box [x, y, w, h]. Several targets go through "
                "pytracking's multi-object wrapper (multiobj_mode 'parallel')"
            )
        self.initialize_features()
        assert self._loop is not None
        color = self.params.get("color", None) or frame_color()
        self._loop.start(image, box, color)
        self._color = color
        # pytracking's way: each of several targets has panels of its own.
        ids = info.get("object_ids")
        self._suffix = "" if ids is None else "".join(f" {each}" for each in list(ids)[:1])
        return _output(as_box(box), 1.0, start)

    def track(self, image: NDArray[np.uint8], info: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find the target in the next frame; `info` is not needed.

        Returns:
            Dictionary of target_bbox ([x, y, w, h] as plain floats, for pytracking's drawing code),
            object_presence_score (0..1) and time (seconds of this call).
        """
        start = time.perf_counter()
        if self._loop is None:
            raise BoxError("track was called before initialize: there is no target yet")
        box, score = self._loop.step(image, self._color)
        output = _output(box, score, start)
        self._draw()
        return output

    def _draw(self) -> None:
        if self.visdom is None or self._loop is None or self._loop.score_map is None:
            return
        score, crop = self._loop.score_map, self._loop.search_crop
        assert crop is not None
        for data, mode, level, title in (
            (score, "heatmap", 2, "Score Map"),
            (crop.transpose(2, 0, 1), "image", 2, "Search Region"),
            (score.reshape(-1).max(keepdims=True), "lineplot", 3, "Max Score"),
        ):
            self.visdom.register(_for_panel(data), mode, level, title + self._suffix)


def _output(box: Any, score: float, start: float) -> dict[str, Any]:
    return {
        "target_bbox": [float(value) for value in box],
        "object_presence_score": float(score),
        "time": time.perf_counter() - start,
    }


def _for_panel(values: NDArray[Any]) -> Any:
    """A tensor where torch is loaded, which pytracking's own panels need; ours take both."""
    torch = sys.modules.get("torch")
    return values if torch is None else torch.from_numpy(np.ascontiguousarray(values))
