"""The tracked target of one session: its tracker, its rows, its speed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ...boxes import Box, as_box
from .media import Image
from .results import Row, Rows


class Tracker(Protocol):
    """What the server asks of a tracker; `pytracking_et.ETTracker(color="bgr")` is one."""

    def init(self, image: Image, box: Any) -> Any:
        """Start on a BGR image HxWx3 uint8 with a box x, y, w, h in pixels."""

    def update(self, image: Image) -> tuple[Box, float]:
        """Find the target in the next image: (box (4,), score 0..1)."""


TrackerFactory = Callable[[], Tracker]


class Target:
    """Runs a tracker and records what it says."""

    def __init__(self, make_tracker: TrackerFactory, rows: Rows) -> None:
        self._make_tracker = make_tracker
        self._tracker: Tracker | None = None
        self._rows = rows
        self._stamps: deque[float] = deque(maxlen=30)
        self.active = False
        self.milliseconds = 0.0

    def start(self, frame: int, seconds: float, image: Image, box: Any) -> Row:
        """Take `box` in `image` as the target; rows from `frame` on are forgotten.

        Raises:
            BoxError: a box without area or outside the image. A target tracked so far goes on.
        """
        checked = as_box(box, image.shape)
        if self._tracker is None:
            self._tracker = self._make_tracker()
        self._tracker.init(image, checked)
        self._rows.cut(frame)
        row = Row.of(frame, seconds, checked, None)
        self._rows.add(row)
        self._stamps.clear()
        self.active = True
        return row

    def step(self, frame: int, seconds: float, image: Image) -> Row:
        """Track into `image`; the row is kept and returned."""
        assert self._tracker is not None, "step() before start()"
        begin = time.perf_counter()
        box, score = self._tracker.update(image)
        end = time.perf_counter()
        # Smoothed, for a number on the screen that can be read.
        taken = (end - begin) * 1000
        self.milliseconds = taken if not self._stamps else 0.9 * self.milliseconds + 0.1 * taken
        self._stamps.append(end)
        row = Row.of(frame, seconds, np.asarray(box, np.float64), float(score))
        self._rows.add(row)
        return row

    def stop(self) -> None:
        """Forget the target; its rows stay."""
        self.active = False
        self._stamps.clear()

    @property
    def fps(self) -> float:
        """Frames tracked per second over the last 30; 0 until there are two."""
        if len(self._stamps) < 2:
            return 0.0
        return (len(self._stamps) - 1) / max(self._stamps[-1] - self._stamps[0], 1e-6)
