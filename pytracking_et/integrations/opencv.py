"""OpenCV's tracker interface: change `cv2.TrackerNano.create()` to `TrackerET.create()`.

from pytracking_et.integrations.opencv import TrackerET
tracker = TrackerET.create()
tracker.init(frame, cv2.selectROI("frame", frame))
ok, (x, y, w, h) = tracker.update(frame)
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..api import ETTracker

# Below this score `update` says that the target is lost: more likely wrong than right.
SCORE_THRESHOLD = 0.5


class TrackerET:
    """E.T.Track with the methods of `cv2.Tracker`; frames are BGR, boxes integers.

    Args:
        score_threshold: `update` returns ok = False below it; the box is given all the same.
        options: of `ETTracker` (checkpoint, parameter, engine, ...).
    """

    def __init__(self, score_threshold: float = SCORE_THRESHOLD, **options: Any) -> None:
        self._tracker = ETTracker(color="bgr", **options)
        self._threshold = score_threshold
        self._score = 0.0

    def __copy__(self) -> TrackerET:
        return copy.deepcopy(self)

    @classmethod
    def create(cls, *args: Any, **options: Any) -> TrackerET:
        """Make a tracker; OpenCV's way of writing the constructor."""
        return cls(*args, **options)

    def init(self, image: NDArray[Any], boundingBox: ArrayLike) -> None:  # noqa: N803 (cv2's name)
        """Take the target.

        Args:
            image: (H, W, 3) uint8 BGR.
            boundingBox: x, y, w, h in pixels, as `cv2.selectROI` returns it.

        Raises:
            BoxError: also for (0, 0, 0, 0), which selectROI returns when it was cancelled.
        """
        self._tracker.init(image, boundingBox)
        self._score = 1.0

    def update(self, image: NDArray[Any]) -> tuple[bool, tuple[int, int, int, int]]:
        """Find the target: (ok, (x, y, w, h)) in whole pixels, so that cv2.rectangle takes them."""
        box, self._score = self._tracker.update(image)
        x, y, w, h = (int(value) for value in np.rint(box))
        return self._score >= self._threshold, (x, y, w, h)

    def getTrackingScore(self) -> float:  # noqa: N802 (cv2's name)
        """Score of the last update, 0..1."""
        return self._score

    @property
    def box(self) -> NDArray[np.float64]:
        """Sub-pixel box of the last frame: (4,) x, y, w, h."""
        return self._tracker.box
