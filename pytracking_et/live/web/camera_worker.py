"""Tracks the frames a browser's camera sends, newest first, in a thread of its own."""

from __future__ import annotations

import logging
import threading

from ...errors import BoxError, ImageError, SourceError
from .limits import Limits
from .media import ClipInfo, Image, decode_jpeg
from .outbox import Outbox
from .protocol import CameraFrame, Command
from .session import Session
from .target import Target, TrackerFactory

logger = logging.getLogger(__name__)


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
        self, session: Session, make_tracker: TrackerFactory, outbox: Outbox, limits: Limits
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
