"""The live loop: frames from a reader, boxes from a session, pictures to the displays."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ..boxes import Box
from ..errors import BoxError, ImageError
from .controls import Controls, Rate, View
from .draw import annotate
from .reader import Pace, Reader
from .recording import Recording
from .session import Session
from .sources import Frame
from .writer import VideoWriter

IDLE = 0.02  # seconds between looks at the controls while paused


class Display(Protocol):
    """A window, page or server that shows frames and may feed the controls."""

    def show(self, view: View) -> None:
        """Show a processed frame."""

    def poll(self, seconds: float) -> None:
        """Handle the user's input for about `seconds`."""


@dataclass
class Summary:
    """What was done: frames read, frames with a target, seconds of tracking.

    ended: the source came to its end (and was not left by the user).
    """

    frames: int = 0
    ended: bool = False
    tracked: int = 0
    seconds: float = 0.0

    @property
    def fps(self) -> float:
        """Frames with targets per second of tracking time."""
        return self.tracked / self.seconds if self.seconds else 0.0


@dataclass
class Player:
    """Track through a video until it ends or the user quits.

    Args:
        reader: opened reader.
        session: its targets may be there already or come through `controls`.
        controls: requests of the user.
        displays: get every frame; the first one paces the loop by its `poll`.
        writer: opened writer for the annotated video, or None.
        recording: gets every box, or None.
        pace: at most this many frames a second are shown (files in a window); None: no limit.
        boxes: targets to start on the first frame, x, y, w, h in pixels.
        on_frame: called after each frame (progress bar).
        notify: prints one line to the user.
    """

    reader: Reader
    session: Session
    controls: Controls
    displays: Sequence[Display] = ()
    writer: VideoWriter | None = None
    recording: Recording | None = None
    pace: float | None = None
    boxes: Sequence[Box] = ()
    on_frame: Callable[[View], None] | None = None
    notify: Callable[[str], None] = lambda text: print(text, file=sys.stderr)
    summary: Summary = field(default_factory=Summary)

    def __post_init__(self) -> None:
        self._rate = Rate()
        self._latency = 0.0
        self._shown_hint = ""
        self._frame: Frame | None = None
        self._view: View | None = None

    def run(self) -> Summary:
        """Play to the end; a first frame is always read and shown, even when paused.

        Raises:
            SourceError: the source failed; what was recorded so far is kept by the caller.
            BoxError: a box of `boxes` cannot be tracked on the first frame.
        """
        with settled_objects():
            self._play(Pace(self.pace))
        return self.summary

    def _play(self, clock: Pace) -> None:
        while not self.controls.ended:
            if self._frame is None or self.controls.may_advance():
                frame = self.reader.read()
                if frame is None:
                    self.summary.ended = True
                    break
                self._advance(frame)
                clock.done()
                self._poll(clock.remaining())
            else:
                self._poll(IDLE)
                self._refresh()
            self._obey()

    def _advance(self, frame: Frame) -> None:
        first, self._frame = self._frame is None, frame
        begun, started = time.monotonic(), time.perf_counter()
        spent = 0.0
        if self.session.targets:
            try:
                self.session.update(frame.image)
            except ImageError as error:
                self.notify(f"frame {frame.index} skipped: {error}")
            spent = time.perf_counter() - started
            self.summary.seconds += spent
            self.summary.tracked += 1
        if first:
            for box in self.boxes:
                self.session.add(frame.image, box)
        self._record(frame.index, spent)
        self.summary.frames += 1
        # Frames of a file wait in the reader's queue; only live is that waiting a delay.
        since = frame.time if self.reader.live else begun
        self._latency = time.monotonic() - since
        self._show(self._rate.tick())
        if self.writer is not None and self._view is not None:
            self.writer.write(self._view.picture)
        if self.on_frame is not None and self._view is not None:
            self.on_frame(self._view)

    def _record(self, index: int, seconds: float) -> None:
        if self.recording is not None:
            for mark in self.session.marks:
                self.recording.add(index, mark, seconds)

    def _refresh(self) -> None:
        """Pausing changes the hint on a picture that otherwise stands still."""
        if self._view is not None and self._hint() != self._shown_hint:
            self._show(self._view.fps)

    def _show(self, fps: float) -> None:
        frame = self._frame
        assert frame is not None
        marks = self.session.marks
        status = f"{fps:.0f} fps  {self._latency * 1000:.0f} ms" if fps else ""
        self._shown_hint = self._hint()
        low_score = self.session.low_score
        picture = annotate(frame.image, marks, status, self._shown_hint, low_score)
        tracker = self.session.targets[0].tracker if marks else None
        self._view = View(
            frame.index,
            frame.image,
            picture,
            marks,
            fps,
            self._latency,
            getattr(tracker, "score_map", None),
            getattr(tracker, "search_crop", None),
        )
        for display in self.displays:
            display.show(self._view)

    def _hint(self) -> str:
        if not self.displays:
            return ""
        if self.controls.drawing:
            return "second corner, or Esc"
        if not self.session.targets:
            return "draw a box: drag, or click two corners"
        return "paused: space goes on, right arrow steps" if self.controls.paused else ""

    def _poll(self, seconds: float) -> None:
        if not self.displays and seconds > 0:
            self.controls.wait(seconds)
        for display in self.displays:
            display.poll(seconds)
            seconds = 0.0

    def _obey(self) -> None:
        """Carry out what the user asked for on the frame that is shown."""
        frame = self._frame
        if frame is None:
            return
        changed = False
        if self.controls.take_reset():
            self.session.reset()
            changed = True
        for box in self.controls.take_boxes():
            try:
                target = self.session.add(frame.image, box)
            except BoxError as error:
                self.notify(str(error))
                continue
            changed = True
            if self.recording is not None:
                self.recording.add(frame.index, target.mark, 0.0)
        if changed:
            self._show(self._view.fps if self._view else 0.0)


# Python 3.12 starts with some 400 objects frozen; a caller that freezes does so with far more.
INTERPRETERS_OWN = 1000


@contextmanager
def settled_objects() -> Iterator[None]:
    """Leave what exists now out of garbage collections for the length of the block.

    torch alone brings 150,000 objects; to go through them stops every thread for 60 ms, two frames
    of a camera, every now and then. What the loop itself makes is collected as ever.
    """
    frozen_before = gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if frozen_before < INTERPRETERS_OWN:  # what the caller froze stays so
            gc.unfreeze()
