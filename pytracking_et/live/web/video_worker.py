"""Plays and tracks one uploaded video in a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
import time

from ...errors import BoxError
from ..sources import breaks_off
from .limits import Limits
from .media import Image, VideoReader, encode_preview
from .outbox import Outbox
from .protocol import Command
from .results import Row
from .session import Session
from .target import Target, TrackerFactory

logger = logging.getLogger(__name__)

PREVIEW_SECONDS = 1 / 30
STOP = Command("stop")


class VideoWorker(threading.Thread):
    """Decodes every frame once, in order; obeys the page's commands between frames.

    Without a target it plays at the video's own speed, with the boxes of an earlier run, so that
    one can wait for the target to appear or look at the result; with a target it runs as fast as
    the tracker.
    """

    def __init__(
        self, session: Session, make_tracker: TrackerFactory, outbox: Outbox, limits: Limits
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
