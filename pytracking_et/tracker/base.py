"""pytracking's tracker contract (`pytracking.tracker.base.BaseTracker`), stated anew."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes import unusable
from ..errors import ResultsError
from ..tracking.image import Color


class BaseTracker:
    """What pytracking's harness, webcam, video and VOT runners call.

    Attributes:
        params: parameter bag.
        visdom: set by the harness where drawing is on, else None.
    """

    multiobj_mode = "default"

    def __init__(self, params: Any) -> None:
        self.params = params
        self.visdom: Any = None

    def predicts_segmentation_mask(self) -> bool:
        """Whether `track` returns a mask."""
        return False

    def initialize_features(self) -> None:
        """Load what takes time, before the first frame."""

    def initialize(self, image: NDArray[np.uint8], info: dict[str, Any]) -> dict[str, Any]:
        """Start on `image` (H, W, 3) uint8 RGB with `info["init_bbox"]` = [x, y, w, h]."""
        raise NotImplementedError

    def track(self, image: NDArray[np.uint8], info: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find the target in the next frame; returns `target_bbox` and more."""
        raise NotImplementedError

    def visdom_draw_tracking(
        self, image: NDArray[np.uint8], box: Any, segmentation: NDArray | None = None
    ) -> None:
        """Show a frame and its boxes in the panel "Tracking"."""
        if self.visdom is None:
            return
        boxes = list(box.values()) if isinstance(box, dict) else [box]
        extra = [] if segmentation is None else [segmentation]
        self.visdom.register((image, *boxes, *extra), "Tracking", 1, "Tracking")


def answered(out: Any, where: str) -> tuple[list[float], float | None]:
    """Box x, y, w, h and score (None: none is given) of what a tracker returned.

    Raises:
        ResultsError: it returned something else; quotes it after `where`.
    """
    if not isinstance(out, Mapping):
        raise ResultsError(
            f"{where}: the tracker returned {out!r}; it must return a dict with target_bbox"
        )
    box, score = out.get("target_bbox"), out.get("object_presence_score")
    try:
        numbers = [float(value) for value in box]  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != 4 or unusable(numbers)[0]:
        raise ResultsError(
            f"{where}: target_bbox is {box!r}; a tracker must return four finite numbers "
            "x, y, w, h with w, h >= 0"
        )
    return numbers, None if score is None else finite(score, "object_presence_score", where)


def finite(value: Any, name: str, where: str) -> float:
    """A number that a tracker returned; ResultsError where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ResultsError(f"{where}: {name} is {value!r}; a tracker must return a finite number")
    return number


# pytracking's live loops, by function name (all in pytracking/evaluation/tracker.py). Our own
# harness has none of these: its live modes convert to RGB themselves.
BGR_LOOPS = frozenset({"run_video_generic", "run_video", "run_webcam"})
PACKAGE = "pytracking."
# run_video_generic -> wrapper.track -> wrapper.initialize -> tracker.initialize, and some room.
_DEPTH = 12


def frame_color() -> Color:
    """Return "bgr" under one of pytracking's live loops, else "rgb".

    pytracking reads data sets and VOT as RGB, but its webcam and video loops pass OpenCV's BGR
    frames on without converting them, and nothing in `image` or `info` tells the two apart. So we
    look who calls: wrong colours cost accuracy silently, in exactly the modes people watch.
    """
    return "bgr" if in_live_loop() else "rgb"


def in_live_loop() -> bool:
    """Whether one of pytracking's live loops calls."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            break
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name in BGR_LOOPS and module.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False
