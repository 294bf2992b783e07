"""The live loop: frames from a reader, boxes from a session, pictures to the displays."""

from __future__ import annotations

import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..boxes import Box
from ..errors import BoxError, ImageError, ParameterError
from ..results.exchange import TrackRow
from .controls import Controls, Edit, Pace, Rate, View
from .draw import Mark
from .reader import Reader
from .recording import Row, Rows, Tracks
from .session import Session, Target
from .sources import Frame

IDLE = 0.02  # seconds between looks at the controls while paused
PATIENCE = 0.1  # the same while a file is decoded up to a frame far away
UNDO = 20  # steps back; each holds the rows of that time


class Display(Protocol):
    """A window, page or server that shows frames and may feed the controls.

    how: the hint that says how boxes are drawn there.
    """

    how: str

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
        recording: gets every box, or None; with it, going back in a file shows what was found.
        pace: at most this many frames a second are shown (files in a window); None: no limit.
        boxes: targets to start on the first frame, x, y, w, h in pixels.
        starts: targets to start on later frames too, by number of the frame.
        review: the user goes over a video: stay at its end, show boxes of released targets too,
            keep to `pace` only while nothing is tracked.
        on_frame: each is called after each new frame (annotated video, progress bar).
        notify: prints one line to the user.
    """

    reader: Reader
    session: Session
    controls: Controls
    displays: Sequence[Display] = ()
    recording: Rows | None = None
    pace: float | None = None
    boxes: Sequence[Box] = ()
    starts: Mapping[int, Sequence[TrackRow]] = field(default_factory=dict)
    review: bool = False
    on_frame: list[Callable[[View], object]] = field(default_factory=list)
    notify: Callable[[str], None] = lambda text: print(text, file=sys.stderr)
    summary: Summary = field(default_factory=Summary)

    def __post_init__(self) -> None:
        self._rate = Rate()
        self._fps = self._latency = 0.0
        self._frame: Frame | None = None
        self._view: View | None = None
        self._rows: list[Row] = []  # not shown yet
        self._edits: list[Edit] = []  # not carried out yet
        self._goal: int | None = None  # frame that was last sought
        self._moving = False  # the frame that was sought has not come yet
        self._last = -1  # newest frame so far
        self._history: deque[tuple[int, Tracks, list[Target], int | None]] = deque(maxlen=UNDO)
        self._due = dict(self.starts)  # have not begun yet
        given = (row.target for rows in self.starts.values() for row in rows)
        self.session.last_id = max([self.session.last_id, *given])  # none for what is drawn

    def run(self) -> Summary:
        """Play to the end; a first frame is always read and shown, even when paused.

        Raises:
            SourceError: the source failed; what was recorded so far is kept by the caller.
            BoxError: a box of `boxes` cannot be tracked on the first frame.
        """
        with settled_objects():
            self._play(Pace(self.pace))
        for index, rows in sorted(self._due.items()) if self.summary.ended else ():
            for row in rows:
                self._leave_out(index, row, "the video has ended without that frame")
        return self.summary

    def _play(self, clock: Pace) -> None:
        while not self.controls.ended:
            if self._frame is None or self._moving or self.controls.may_advance():
                frame = self._read()
                if frame is not None:
                    self._advance(frame)
                    clock.done()
                    hurry = self.review and self.session.due
                    self._poll(0.0 if hurry else clock.remaining())
                elif not self.controls.ended and not self._stay():
                    break
            else:
                self._poll(IDLE)
                self._refresh()
            self._obey()

    def _read(self) -> Frame | None:
        """The next frame, None at the end; the user is heard while it is waited for."""
        while not self.reader.wait(IDLE if self.reader.live else PATIENCE):
            self._obey()
            self._poll(0.0)
            if self.controls.ended:
                return None
        frame = self.reader.read()
        if self.reader.live:
            self._obey()  # what was drawn meanwhile was drawn on the frame before
        return frame

    def _stay(self) -> bool:
        """At the end: whether to wait for the user, who may go back."""
        self.summary.ended = True
        if not self.review or self._frame is None:
            return False
        self.controls.pause()
        self.session.reset()
        self._moving = False
        self._show(ended=True)
        return True

    def _advance(self, frame: Frame) -> None:
        self._goal = self._goal if self._moving else None
        first, self._frame, self._moving = self._frame is None, frame, False
        fresh, self._last = frame.index > self._last, max(frame.index, self._last)
        begun, started = time.monotonic(), time.perf_counter()
        self._meet_drawn(frame)
        try:
            self.session.update(frame.image, None if self.reader.live else frame.index)
        except ImageError as error:
            self.notify(f"frame {frame.index} skipped: {error}")
        if self.reader.live:  # frames are dropped between two
            for target in self.session.due:
                target.at = frame.index
        spent = time.perf_counter() - started if self.session.due else 0.0
        self.summary.seconds += spent
        self.summary.tracked += bool(self.session.due)
        marks = [target.mark for target in self.session.due]
        if first:
            for box in self.boxes:
                marks.append(self.session.add(frame.image, box, frame=frame.index).mark)
        marks += self._start(frame)
        for mark in marks:
            self._record(frame, mark, spent)
        # Frames of a file wait in the reader's queue; only live is that waiting a delay.
        since = frame.time if self.reader.live else begun
        self._latency = time.monotonic() - since
        self._fps = self._rate.tick()
        view = self._show()
        if fresh:
            self.summary.frames += 1
            for step in self.on_frame:
                step(view)

    def _start(self, frame: Frame) -> list[Mark]:
        """Targets that begin with this frame; one that cannot be tracked leaves the others."""
        # Live, the frame that a target was to begin on may have been dropped.
        live = self.reader.live
        due = sorted(n for n in self._due if n == frame.index or (live and n < frame.index))
        marks = []
        for row in [row for number in due for row in self._due.pop(number, ())]:
            try:
                target = self.session.add(frame.image, row.box, row.target, frame.index)
                marks.append(target.mark)
            except BoxError as error:
                self._leave_out(frame.index, row, error)
        return marks

    def _leave_out(self, frame: int, row: TrackRow, reason: object) -> None:
        self.notify(f"frame {frame}, target {row.target} is left out: {reason}")

    def _meet_drawn(self, frame: Frame) -> None:
        """A target that comes to a box the user drew: what was found from there on stays."""
        if self.recording is None:
            return
        for target in self.session.targets:
            row = self.recording.get(target.id, frame.index)
            if row is None or not row.drawn or target.at != frame.index - 1:
                continue
            if self.recording.get(target.id, frame.index + 1) is not None:
                self.session.remove(target.id)
            else:
                self.session.add(frame.image, row.box, target.id, frame.index)

    def _record(self, frame: Frame, mark: Mark, seconds: float) -> None:
        if self.recording is not None:
            height, width = frame.image.shape[:2]
            self._rows.append(self.recording.add(frame.index, mark, seconds, (width, height)))

    def _refresh(self) -> None:
        """Pausing changes the hint on a picture that otherwise stands still."""
        view = self._view
        if view and (view.hint, view.paused) != (self._hint(), self.controls.paused):
            self._show(view.ended)

    def _marks(self, frame: Frame) -> list[Mark]:
        """What was found in the frame that is shown; it may lie behind the newest one."""
        if self.reader.live or self.recording is None:
            return self.session.marks
        known = {target.id for target in self.session.targets}
        rows = self.recording.at(frame.index)
        return [row.mark for row in rows if self.review or row.id in known]

    def _show(self, ended: bool = False) -> View:
        frame, fps = self._frame, self._fps
        assert frame is not None
        tracker = self.session.targets[0].tracker if self.session.targets else None
        rows, self._rows = self._rows, []
        self._view = View(
            frame.index,
            frame.image,
            self._marks(frame),
            fps,
            self._latency,
            getattr(tracker, "score_map", None),
            getattr(tracker, "search_crop", None),
            f"{fps:.0f} fps  {self._latency * 1000:.0f} ms" if fps else "",
            self._hint(),
            self.session.low_score,
            rows,
            self.controls.paused,
            ended,
        )
        for display in self.displays:
            display.show(self._view)
        return self._view

    def _hint(self) -> str:
        if not self.displays:
            return ""
        if self.controls.drawing:
            return "second corner, or Esc"
        if not self.session.targets:
            return self.displays[0].how
        return "paused: space goes on, arrows step" if self.controls.paused else ""

    def _poll(self, seconds: float) -> None:
        if not self.displays and seconds > 0:
            self.controls.wait(seconds)
        for display in self.displays:
            display.poll(seconds)
            seconds = 0.0

    def _obey(self) -> None:
        """Carry out what the user asked for, on the frame it was asked for."""
        frame = self._frame
        if frame is None:
            return
        goal = self.controls.take_goal(frame.index)
        if goal is not None:
            self._go(goal)
        self._edits += self.controls.take_edits()
        waiting: list[Edit] = []
        changed = False
        for edit in self._edits:
            if waiting and not self.reader.live or not self._at(edit, frame):
                waiting.append(edit)
            else:
                changed |= self._carry_out(edit, frame)
        self._edits = waiting
        if changed and not self._moving:
            self._show()

    def _go(self, frame: int) -> None:
        if not self.reader.live:
            self._goal, self._moving = frame, True
            self.reader.seek(frame)

    def _at(self, edit: Edit, frame: Frame) -> bool:
        """Whether the frame of an edit is the one that is shown; goes there if not."""
        if self._moving:
            return False
        # A file with fewer frames than that has shown its last one.
        if edit.frame is None or edit.frame in (frame.index, self._goal):
            return True
        self._go(edit.frame)
        return self.reader.live and frame.index > edit.frame

    def _carry_out(self, edit: Edit, frame: Frame) -> bool:
        """Change the targets; whether anything changed."""
        if self.reader.live and edit.frame not in (None, frame.index):
            return False  # its frame could not be read
        if edit.kind == "undo":
            return self._undo()
        if edit.kind == "redetect":
            try:
                self.session.redetect = edit.play
            except ParameterError as error:
                self.notify(str(error))
            return True
        if edit.kind == "release":
            ids = [target.id for target in self.session.targets]
            for each in ids if edit.target is None else [edit.target]:
                self.session.remove(each)
            return True
        tracks = self.recording.copy() if self.recording is not None else {}
        touched, targets = edit.target, self._copied()
        if edit.box is not None:
            try:
                target = self.session.add(frame.image, edit.box, edit.target, frame.index)
            except BoxError as error:
                self.notify(str(error))
                return False
            touched = target.id
            self._record(frame, target.mark, 0.0)
            if edit.play:
                self.controls.pause(False)
        elif edit.target is not None:
            self.session.remove(edit.target)
            if self.recording is not None:
                self.recording.remove(edit.target)
        if targets is None:  # what is older cannot be undone without this
            self._history.clear()
        else:
            self._history.append((frame.index, tracks, targets, touched))
        return True

    def _copied(self) -> list[Target] | None:
        """The targets as they are, for `_undo`; None where a tracker cannot be copied."""
        try:
            return self.session.copy()
        except ParameterError as error:
            self.notify(f"{error}; so this cannot be undone")
            return None

    def _undo(self) -> bool:
        """Go back to before the last box or removal, and to its frame."""
        if not self._history:
            self.notify("there is nothing to undo")
            return False
        frame, tracks, targets, touched = self._history.pop()
        if self.reader.live:  # what was found of the others since cannot be found again
            now = self.recording.copy() if self.recording is not None else {}
            now.pop(touched or 0, None)
            tracks = now | {number: each for number, each in tracks.items() if number == touched}
            others = [each for each in self.session.targets if each.id != touched]
            at = self._frame.index if self._frame is not None else 0
            back = [replace(each, at=at) for each in targets if each.id == touched]
            targets = sorted([*others, *back], key=lambda each: each.id)
        else:
            self._due |= {n: rows for n, rows in self.starts.items() if n > frame}
        if self.recording is not None:
            self.recording.restore(tracks)
        self.session.restore(targets)
        if not self.reader.live:
            self.controls.pause()
            self._go(frame)
        return True


# Python 3.12 starts with some 400 objects frozen; a caller that freezes does so with far more.
INTERPRETERS_OWN = 1000


@contextmanager
def settled_objects() -> Iterator[None]:
    """Leave what exists now out of garbage collections for the length of the block.

    torch alone brings 150,000 objects; to go through them stops every thread for 60 ms, two frames
    of a camera, every now and then. What the loop itself makes is collected as ever. Where a caller
    or another loop has frozen, nothing is done: what that other loop makes could not be collected.
    """
    if gc.get_freeze_count() >= INTERPRETERS_OWN:
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
