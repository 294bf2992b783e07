"""What the user asks for, from whichever window, page or keyboard: thread-safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..boxes import Box
from .draw import Mark


@dataclass(frozen=True)
class View:
    """One processed frame as the displays get it.

    Attributes:
        image: HxWx3 uint8 RGB as read.
        picture: the same, annotated.
        fps: frames processed a second.
        latency: seconds from reading the frame (live) or taking it up (files) to having its boxes.
        score_map: (S, S) of the first target, None where there is none.
        search_crop: (S', S', 3) of the first target, None where there is none.
    """

    index: int
    image: NDArray[np.uint8]
    picture: NDArray[np.uint8]
    marks: Sequence[Mark]
    fps: float = 0.0
    latency: float = 0.0
    score_map: NDArray[np.float32] | None = None
    search_crop: NDArray[np.uint8] | None = None


class Controls:
    """Requests of the user; displays call the verbs, the player reads the state.

    `frozen` holds the picture while a box is drawn on it.
    """

    def __init__(self, paused: bool = False) -> None:
        self._paused = paused
        self._frozen = False
        self._steps = 0
        self._boxes: list[Box] = []
        self._reset = False
        self._quit = False
        self._changed = threading.Condition()

    def toggle_pause(self) -> None:
        """Pause, or go on."""
        self._set(_paused=not self._paused)

    def pause(self, paused: bool = True) -> None:
        """Pause (or go on) whatever the state."""
        self._set(_paused=paused)

    def freeze(self, frozen: bool) -> None:
        """Hold the picture while the user draws."""
        self._set(_frozen=frozen)

    def step(self) -> None:
        """One more frame; pauses a running video."""
        with self._changed:
            self._steps += 1 if self._paused else 0
            self._paused = True
            self._changed.notify_all()

    def add_box(self, box: Box) -> None:
        """A new target on the frame that is shown: x, y, w, h in pixels of the frame."""
        with self._changed:
            self._boxes.append(box)
            self._changed.notify_all()

    def reset(self) -> None:
        """Forget all targets."""
        self._set(_reset=True)

    def quit(self) -> None:
        """Stop; results are saved."""
        self._set(_quit=True)

    @property
    def paused(self) -> bool:
        """Whether the video stands still by request."""
        return self._paused

    @property
    def drawing(self) -> bool:
        """Whether the picture is held while a box is drawn."""
        return self._frozen

    @property
    def ended(self) -> bool:
        """Whether the user has asked to stop."""
        return self._quit

    def take_boxes(self) -> list[Box]:
        """New boxes since the last call."""
        with self._changed:
            boxes, self._boxes = self._boxes, []
            return boxes

    def take_reset(self) -> bool:
        """Whether a reset was asked for since the last call."""
        with self._changed:
            wanted, self._reset = self._reset, False
            return wanted

    def may_advance(self) -> bool:
        """Whether the next frame is wanted; uses up one step while paused."""
        with self._changed:
            if self._frozen:
                return False
            if not self._paused:
                return True
            if self._steps:
                self._steps -= 1
                return True
            return False

    def wait(self, seconds: float) -> None:
        """Sleep until something is asked for, at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def _set(self, **changes: bool) -> None:
        with self._changed:
            self.__dict__.update(changes)
            self._changed.notify_all()


class Rate:
    """Frames a second over the last second or so."""

    def __init__(self, window: int = 30) -> None:
        self._times: list[float] = []
        self._window = window

    def tick(self) -> float:
        """Count a frame; returns the rate, 0 until two frames are known."""
        self._times = [*self._times[-self._window :], time.monotonic()]
        spent = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / spent if spent > 0 else 0.0
