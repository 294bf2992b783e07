"""Threads that track what the page opened: a camera's frames, newest first, or a whole video."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ...boxes import Box, as_box
from ...errors import BoxError, ImageError, SourceError
from ..sources import breaks_off
from .media import ClipInfo, Image, Limits, VideoReader, decode_jpeg, encode_preview
from .protocol import CameraFrame, Command, Outbox
from .visits import Row, Rows, Visit

logger = logging.getLogger(__name__)

PREVIEW_SECONDS = 1 / 30
STOP = Command("stop")


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


class FrameSlot:
    """Holds the newest frame only; but a frame with a drawn box is not replaced by one without."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frame: CameraFrame | None = None
        self._closed = False

    def put(self, frame: CameraFrame) -> None:
        """Offer a frame; an older one that still waits is dropped."""
        with self._condition:
            if self._frame is None or self._frame.box is None or frame.box is not None:
                self._frame = frame
            self._condition.notify()

    def clear(self) -> None:
        """Drop what waits: the target was given up."""
        with self._condition:
            self._frame = None

    def close(self) -> None:
        """Let `take` return None from now on."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def take(self) -> CameraFrame | None:
        """Wait for a frame; None once closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._frame is not None)
            frame, self._frame = self._frame, None
            return None if self._closed else frame


class CameraWorker(threading.Thread):
    """Decodes, tracks and records camera frames; answers each with its number and box."""

    def __init__(
        self, session: Visit, make_tracker: TrackerFactory, outbox: Outbox, limits: Limits
    ) -> None:
        super().__init__(name=f"camera-{session.id[:6]}", daemon=True)
        self._session = session
        self._outbox = outbox
        self._limits = limits
        self._slot = FrameSlot()
        self._target = Target(make_tracker, session.rows)
        self._release = threading.Event()
        self._size: tuple[int, int] | None = None

    def offer(self, frame: CameraFrame) -> None:
        """Hand in a frame; from any thread."""
        self._slot.put(frame)

    def submit(self, command: Command) -> None:
        """`release` gives the target up; the other commands are for videos."""
        if command.name == "release":
            self._slot.clear()
            self._release.set()

    def stop(self) -> None:
        """Ask the thread to end; join() waits for it."""
        self._slot.close()

    def run(self) -> None:
        """Thread body; a defect is logged and told to the page, never swallowed."""
        try:
            while (frame := self._slot.take()) is not None:
                try:
                    self._process(frame)
                except (BoxError, ImageError, SourceError) as error:
                    self._outbox.post(
                        {"type": "error", "frame": frame.number, "message": str(error)}
                    )
        except Exception as error:
            logger.exception("tracking stopped in session %s", self._session.id[:6])
            self._outbox.post(
                {"type": "error", "fatal": True, "message": f"tracking stopped: {error}"}
            )
        finally:
            self._outbox.close()

    def _process(self, frame: CameraFrame) -> None:
        if self._release.is_set():
            self._release.clear()
            self._target.stop()
        image = decode_jpeg(frame.jpeg, self._limits)
        self._check_size(image)
        if frame.box is not None:
            row = self._target.start(frame.number, frame.seconds, image, frame.box)
            self._outbox.post({"type": "cut", "frame": frame.number})
            self._outbox.row(row, 0.0, 0.0)
        elif self._target.active:
            row = self._target.step(frame.number, frame.seconds, image)
            self._outbox.row(row, self._target.fps, self._target.milliseconds)
        else:
            self._outbox.post({"type": "skipped", "frame": frame.number})
            return
        self._record(frame)

    def _check_size(self, image: Image) -> None:
        """A phone that is turned changes the frame's size; boxes of before then mean nothing."""
        height, width = image.shape[:2]
        if self._size not in (None, (width, height)) and self._target.active:
            self._target.stop()
            text = f"The camera's picture changed to {width}x{height}; draw the box again."
            self._outbox.post({"type": "lost", "message": text})
        self._size = (width, height)
        self._session.clip = ClipInfo("camera", width, height, self._session.clip.fps, None)

    def _record(self, frame: CameraFrame) -> None:
        recording = self._session.recording
        assert recording is not None
        if recording.append(frame.number, frame.seconds, frame.jpeg):
            return
        text = f"The recording has reached {recording.limit >> 20} MB: the annotated video ends "
        self._outbox.post({"type": "notice", "message": text + "here; boxes go on."})


class VideoWorker(threading.Thread):
    """Decodes every frame once, in order; obeys the page's commands between frames.

    Without a target it plays at the video's own speed, with the boxes of an earlier run, so that
    one can wait for the target to appear or look at the result; with a target it runs as fast as
    the tracker.
    """

    def __init__(
        self, session: Visit, make_tracker: TrackerFactory, outbox: Outbox, limits: Limits
    ) -> None:
        super().__init__(name=f"video-{session.id[:6]}", daemon=True)
        assert session.path is not None
        self._session = session
        self._path = session.path
        self._clip = session.clip
        self._outbox = outbox
        self._limits = limits
        self._target = Target(make_tracker, session.rows)
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._goal: Command | None = None  # newest seek; older ones need not be finished
        self._reader: VideoReader | None = None
        self._image: Image | None = None
        self._row: Row | None = None
        self._frame = -1
        self._playing = self._ended = False
        self._due = self._shown = 0.0

    def submit(self, command: Command) -> None:
        """Queue a command of the page; from any thread."""
        if command.name in ("seek", "target", "stop"):
            self._goal = command
        self._commands.put(command)

    def stop(self) -> None:
        """Ask the thread to end; join() waits for it."""
        self.submit(STOP)

    def run(self) -> None:
        """Thread body; a defect is logged and told to the page, never swallowed."""
        try:
            self._seek(0)
            self._tell_state()
            while (command := self._next()) is not STOP:
                if command is None:
                    self._advance()
                else:
                    self._obey(command)
        except Exception as error:
            logger.exception("tracking stopped in session %s", self._session.id[:6])
            self._outbox.post(
                {"type": "error", "fatal": True, "message": f"tracking stopped: {error}"}
            )
        finally:
            if self._reader is not None:
                self._reader.close()
            self._outbox.close()

    def _next(self) -> Command | None:
        """The next command; None when it is time for the next frame."""
        if not self._playing:
            return self._commands.get()
        delay = 0.0 if self._target.active else self._due - time.monotonic()
        try:
            return self._commands.get(timeout=delay) if delay > 0 else self._commands.get_nowait()
        except queue.Empty:
            return None

    def _obey(self, command: Command) -> None:
        if command.name == "target":
            self._start(command)
        elif command.name == "release":
            self._target.stop()
        elif command.name == "seek":
            self._seek(command.frame, command)
        elif command.name == "step":
            self._playing = False
            self._advance()
            self._show()
        else:
            self._playing = command.name == "play" and not self._ended
            self._due = time.monotonic()
            self._show()
        self._tell_state()

    def _start(self, command: Command) -> None:
        if command.frame != self._frame:  # drawn on a picture that was still on its way
            self._seek(command.frame, command)
        if self._image is None:
            return
        try:
            row = self._target.start(self._frame, self._seconds, self._image, command.box)
        except BoxError as error:
            self._outbox.post({"type": "error", "message": str(error)})
            return
        self._row = row
        self._playing = not self._ended
        self._outbox.post({"type": "cut", "frame": self._frame})
        self._outbox.row(row, 0.0, 0.0)

    def _seek(self, frame: int, command: Command | None = None) -> None:
        """Go to a frame and stop there, without a target.

        By decoding up to it: containers' own seeking lands on another frame than it says. Given
        up once the page has sent another goal than `command`.
        """
        self._target.stop()
        self._playing = self._ended = False
        if self._reader is None or frame <= self._frame:
            if self._reader is not None:
                self._reader.close()
            self._reader, self._frame = VideoReader(self._path), -1
        while self._frame + 1 < frame:
            if not self._reader.skip():
                # Fewer frames than the header says: show the last there is.
                self._seek(self._frame, command)
                return
            self._frame += 1
            if command is not None and self._goal is not command:
                break
        self._advance()
        self._show()

    def _advance(self) -> None:
        """Decode, track and announce the next frame."""
        assert self._reader is not None
        image = None if self._ended else self._reader.read()
        if image is None:
            self._end()
            return
        self._image = image
        self._frame += 1
        self._due = max(self._due + 1 / self._clip.fps, time.monotonic() - 0.5)
        if self._target.active:
            self._row = self._target.step(self._frame, self._seconds, image)
            self._outbox.row(self._row, self._target.fps, self._target.milliseconds)
        else:
            self._row = self._session.rows.get(self._frame)
        if self._outbox.wants_preview and time.monotonic() - self._shown >= PREVIEW_SECONDS:
            self._show()

    def _end(self) -> None:
        if self._ended:
            return
        self._playing, self._ended = False, True
        self._target.stop()
        promised = self._clip.frames
        if breaks_off(self._frame + 1, promised):
            text = f"The video breaks off after frame {self._frame + 1} of {promised}; "
            self._outbox.post({"type": "notice", "message": text + "results so far are kept."})
        self._show()
        self._tell_state()

    @property
    def _seconds(self) -> float:
        return self._frame / self._clip.fps

    def _show(self) -> None:
        """Send the current frame as a preview."""
        if self._image is None:
            return
        self._shown = time.monotonic()
        header = {"type": "preview", "frame": self._frame, "row": self._row}
        self._outbox.preview(header, encode_preview(self._image, self._limits.preview_side))

    def _tell_state(self) -> None:
        self._outbox.post(
            {
                "type": "state",
                "frame": self._frame,
                "playing": self._playing,
                "tracking": self._target.active,
                "ended": self._ended,
            }
        )
