"""What the user asks for, from whichever window, page or keyboard: thread-safe."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..boxes import Box
from .draw import LOW_SCORE, Mark, annotate
from .recording import Row


@dataclass(frozen=True)
class View:
    """One processed frame as the displays get it.

    Attributes:
        image: HxWx3 uint8 RGB as read.
        fps: frames processed a second.
        latency: seconds from reading the frame (live) or taking it up (files) to having its boxes.
        score_map: (S, S) of the first target, None where there is none.
        search_crop: (S', S', 3) of the first target, None where there is none.
        status: line above, for `picture`.
        hint: line below, for `picture`.
        low_score: boxes that score less are grey in `picture`.
        rows: boxes that are new since the last view.
        paused: it stands still by request.
        ended: the source is at its end.
    """

    index: int
    image: NDArray[np.uint8]
    marks: Sequence[Mark]
    fps: float = 0.0
    latency: float = 0.0
    score_map: NDArray[np.float32] | None = None
    search_crop: NDArray[np.uint8] | None = None
    status: str = ""
    hint: str = ""
    low_score: float = LOW_SCORE
    rows: Sequence[Row] = ()
    paused: bool = False
    ended: bool = False

    @cached_property
    def picture(self) -> NDArray[np.uint8]:
        """The image with boxes and lines drawn, made when it is first asked for."""
        return annotate(self.image, self.marks, self.status, self.hint, self.low_score)


@dataclass(frozen=True)
class Edit:
    """A change of the targets.

    Attributes:
        kind: "box" (of a new target, or to correct one), "release" (stop tracking, its boxes
            stay), "remove" (its boxes too), "undo" (the last box or removal) or "redetect"
            (search for lost targets, or stop that).
        box: x, y, w, h in pixels of the frame.
        target: whose; None: a new one, or all.
        frame: number of the frame the box was drawn on; None: the one that is shown.
        play: go on once it is done; for "redetect", whether it is wanted.
    """

    kind: Literal["box", "release", "remove", "undo", "redetect"]
    box: Box | None = None
    target: int | None = None
    frame: int | None = None
    play: bool = False


class Controls:
    """Requests of the user: displays call the methods, the player reads the state.

    Attributes:
        paused: the video stands still by request.
        drawing: the picture is held while a box is drawn on it.
        ended: the user has asked to stop.
    """

    def __init__(self, paused: bool = False) -> None:
        self.paused = paused
        self.drawing = self.ended = False
        self._steps = 0
        self._goal: int | None = None
        self._edits: list[Edit] = []
        self._news = False
        self._changed = threading.Condition()

    def pause(self, paused: bool = True) -> None:
        """Pause, or go on."""
        self._set(paused=paused)

    def draw(self, drawing: bool) -> None:
        """Hold the picture while the user draws."""
        self._set(drawing=drawing)

    def step(self, count: int = 1) -> None:
        """So many more frames, or back where negative (files); a running video only pauses."""
        with self._changed:
            self._steps += count if self.paused else 0
        self._set(paused=True)

    def seek(self, frame: int) -> None:
        """Go to a frame and stop there (files); the newest wish counts."""
        self._set(_goal=frame, _steps=0, paused=True)

    def ask(self, edit: Edit) -> None:
        """Change the targets."""
        with self._changed:
            self._edits.append(edit)
        self._set()

    def wake(self) -> None:
        """End a `wait`."""
        self._set()

    def quit(self) -> None:
        """Stop; results are saved."""
        self._set(ended=True)

    def take_edits(self) -> list[Edit]:
        """Changes asked for since the last call, in order."""
        with self._changed:
            edits, self._edits = self._edits, []
            return edits

    def take_goal(self, here: int) -> int | None:
        """Frame to go to from frame `here`, where that is not the next one."""
        with self._changed:
            goal, self._goal = self._goal, None
            if goal is None and self._steps < 0:
                goal, self._steps = max(0, here + self._steps), 0
            return goal

    def may_advance(self) -> bool:
        """Whether the next frame is wanted; uses up one step while paused."""
        with self._changed:
            if self.drawing:
                return False
            if not self.paused:
                return True
            if self._steps > 0:
                self._steps -= 1
                return True
            return False

    def wait(self, seconds: float) -> None:
        """Sleep until something is asked for, at most `seconds`; not if it was since last time."""
        with self._changed:
            self._changed.wait_for(lambda: self._news, seconds)
            self._news = False

    def _set(self, **changes: object) -> None:
        with self._changed:
            self.__dict__.update(changes)
            self._news = True
            self._changed.notify_all()


class Rate:
    """Frames a second over the last 30 frames."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=31)

    def tick(self) -> float:
        """Count a frame; returns the rate, 0 until two frames are known."""
        self._times.append(time.monotonic())
        spent = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / spent if spent > 0 else 0.0


class Pace:
    """Hold a loop to at most `fps` rounds a second (files shown in a window)."""

    def __init__(self, fps: float | None) -> None:
        self.period = 1.0 / fps if fps else 0.0
        self._next = time.monotonic()

    def remaining(self) -> float:
        """Seconds until the next round is due; 0 when late."""
        return max(0.0, self._next - time.monotonic())

    def done(self) -> None:
        """One round has been shown; a late loop does not try to catch up."""
        self._next = max(self._next + self.period, time.monotonic())
