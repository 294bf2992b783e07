"""The page as a face of the live loop: its display, its camera, and what is sent to it."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import ImageError, SourceError
from ...frames import DEFAULT_FPS
from ..controls import Controls, Edit, View
from ..session import Session
from ..sources import Frame, breaks_off
from .uploads import Image, Limits, decode_jpeg, encode_preview
from .visits import Line, Visit

logger = logging.getLogger(__name__)

PREVIEW_SECONDS = 1 / 30

BoxValues = tuple[float, float, float, float]


@dataclass(frozen=True)
class Command:
    """A wish of the page; see channel.py for the names."""

    name: str
    box: BoxValues | None = None
    frame: int = 0
    target: int | None = None
    on: bool = False


@dataclass(frozen=True)
class CameraFrame:
    """One camera frame: number, seconds since the camera was opened, JPEG, box if drawn on it.

    target: whose box; None: a new one's.
    """

    number: int
    seconds: float
    jpeg: bytes
    box: BoxValues | None
    target: int | None = None


Event = dict[str, Any]


def pack(header: Event, jpeg: bytes) -> bytes:
    """One binary message: header length (4 bytes, big-endian), header (JSON), JPEG."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">I", len(text)) + text + jpeg


class Outbox:
    """Messages to the page, filled by one tracking thread, emptied by one coroutine of `loop`.

    Rows are never dropped (they are the result); previews are: only the newest is kept, and while
    it has not been sent the thread need not encode another.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._ready = asyncio.Event()
        self._events: list[Event] = []
        self._preview: bytes | None = None
        self._closed = False

    @property
    def wants_preview(self) -> bool:
        """Whether the last preview has been taken."""
        return self._preview is None

    def post(self, event: Event) -> None:
        """Queue one message (any JSON object)."""
        with self._lock:
            self._events.append(event)
        self._wake()

    def rows(self, lines: Sequence[Line], fps: float, milliseconds: float) -> None:
        """Queue the boxes of one frame; rows that wait are sent together."""
        with self._lock:
            last = self._events[-1] if self._events else None
            if last is None or last["type"] != "rows":
                last = {"type": "rows", "rows": []}
                self._events.append(last)
            last["rows"].extend(lines)
            last["fps"], last["ms"] = round(fps, 1), round(milliseconds, 1)
        self._wake()

    def preview(self, header: Event, jpeg: bytes) -> None:
        """Set the picture to send next; it follows the rows queued so far."""
        with self._lock:
            self._preview = pack(header, jpeg)
        self._wake()

    def close(self) -> None:
        """Let `drain` return what is left and then None."""
        with self._lock:
            self._closed = True
        self._wake()

    def _wake(self) -> None:
        # The loop is gone when the server was shut down under a running thread; whoever closed
        # it also tells the thread to stop, and nobody is left to read.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)

    async def drain(self) -> list[str | bytes] | None:
        """Wait for messages and take them all, in order; None once closed and empty."""
        await self._ready.wait()
        with self._lock:
            self._ready.clear()
            events, self._events = self._events, []
            preview, self._preview = self._preview, None
            if self._closed:
                self._ready.set()
        messages: list[str | bytes] = [json.dumps(e, separators=(",", ":")) for e in events]
        if preview is not None:
            messages.append(preview)
        return None if self._closed and not messages else messages


class BrowserCamera:
    """A live source: the frames that the page sends; one with a drawn box is never dropped."""

    name, live, fps = "camera", True, DEFAULT_FPS
    length: int | None = None

    def __init__(self, visit: Visit, controls: Controls, outbox: Outbox, limits: Limits) -> None:
        self._visit, self._controls, self._outbox, self._limits = visit, controls, outbox, limits
        self._condition = threading.Condition()
        self._next: CameraFrame | None = None
        self._newest = -1
        self._closed = False
        self._taken: dict[int, CameraFrame] = {}

    def __enter__(self) -> BrowserCamera:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._take()) is not None:
            try:
                image = decode_jpeg(frame.jpeg, self._limits)
            except (ImageError, SourceError) as error:
                self._outbox.post({"type": "error", "frame": frame.number, "message": str(error)})
                continue
            self._fit(image.shape[1], image.shape[0], drawn=frame.box is not None)
            with self._condition:
                self._taken[frame.number] = frame
            yield Frame(frame.number, image, time.monotonic(), keep=frame.box is not None)

    def offer(self, frame: CameraFrame) -> None:
        """Hand in a frame, from any thread; an older one is dropped, waiting or late."""
        with self._condition:
            if frame.number < self._newest:
                return
            self._newest = frame.number
            if self._next is None or self._next.box is None or frame.box is not None:
                self._next = frame
            self._condition.notify()

    def close(self) -> None:
        """End the source."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def shown(self, number: int) -> CameraFrame | None:
        """The frame as it came, once; those before it were dropped."""
        with self._condition:
            frame = self._taken.pop(number, None)
            self._taken = {k: each for k, each in self._taken.items() if k > number}
            return frame

    def _fit(self, width: int, height: int, drawn: bool) -> None:
        """A phone that is turned changes the frame's size; boxes of before then mean nothing.

        Args:
            drawn: the frame comes with a box of its own: nothing is lost.
        """
        before = self._visit.clip
        self._visit.clip = replace(before, width=width, height=height)
        if before.width and before != self._visit.clip:
            self._controls.ask(Edit("release"))
            if not drawn:
                text = f"The camera's picture changed to {width}x{height}; draw the box again."
                self._outbox.post({"type": "lost", "message": text})

    def _take(self) -> CameraFrame | None:
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._next is not None)
            frame, self._next = self._next, None
            return None if self._closed else frame


def part_of(image: Image, area: BoxValues) -> tuple[Image, list[int]]:
    """The part of an image HxWx3 at `area`, a quarter wider on each side, and where that lies."""
    height, width = image.shape[:2]
    x, y, w, h = area
    left, right = np.clip([x - w / 4, x + w * 1.25], 0, width).round().astype(int).tolist()
    top, bottom = np.clip([y - h / 4, y + h * 1.25], 0, height).round().astype(int).tolist()
    if min(right - left, bottom - top) < 1:
        return image, [0, 0, width, height]
    return image[top:bottom, left:right], [left, top, right - left, bottom - top]


class Page:
    """A display of the live loop: boxes, state and previews into an outbox."""

    how = ""  # the page says it itself

    def __init__(
        self,
        visit: Visit,
        session: Session,
        controls: Controls,
        outbox: Outbox,
        limits: Limits,
        camera: BrowserCamera | None = None,
    ) -> None:
        self.visit, self.session, self.controls = visit, session, controls
        self.outbox, self.limits, self.camera = outbox, limits, camera
        self._edition = visit.rows.edition
        self._view: View | None = None
        self._previewed = self._milliseconds = 0.0
        self._state: Event = {}
        self._area: BoxValues | None = None

    def show(self, view: View) -> None:
        """Send what is new; of previews only as many as are taken."""
        again = self._view is not None and self._view.index == view.index
        ended = view.ended and not (self._view is not None and self._view.ended)
        self._view = view
        drawn = self.camera is not None and self._keep(view)
        self._send_rows(view, answered=again or drawn)
        if ended and breaks_off(view.index + 1, self.visit.clip.frames):
            text = f"The video breaks off after frame {view.index + 1} of {self.visit.clip.frames};"
            self.outbox.post({"type": "notice", "message": f"{text} results so far are kept."})
        self._send_state(view)
        if self.camera is None and (
            view.paused
            or self.outbox.wants_preview
            and time.monotonic() - self._previewed >= PREVIEW_SECONDS
        ):
            self._preview(view)

    def poll(self, seconds: float) -> None:
        """Requests come by themselves; a picture that stands still waits for the next one."""
        self.controls.wait(1.0 if seconds and self.controls.paused else seconds)
        if self._view is not None and self._area != self.visit.area:
            self._preview(self._view)

    def _send_rows(self, view: View, answered: bool) -> None:
        if self._edition != self.visit.rows.edition:
            self._edition = self.visit.rows.edition
            self.outbox.post({"type": "all", "rows": self.visit.lines()})
        elif view.rows:
            # Smoothed, for a number on the screen that can be read.
            taken = view.rows[-1].seconds * 1000
            share = 0.1 if self._milliseconds else 1.0
            self._milliseconds += share * (taken - self._milliseconds)
            lines = [self.visit.line(row) for row in view.rows]
            self.outbox.rows(lines, view.fps, self._milliseconds)
        elif self.camera is not None and not answered:
            self.outbox.post({"type": "skipped", "frame": view.index})

    def _send_state(self, view: View) -> None:
        active = [target.id for target in self.session.targets if target.at >= view.index]
        state = {
            "type": "state",
            "playing": not view.paused,
            "tracking": bool(active),
            "active": active,
            "ended": view.ended,
            "redetect": self.session.redetect,
        }
        self.visit.redetect = self.session.redetect
        if view.paused or state != self._state:
            self.outbox.post({**state, "frame": view.index})
            self._state = state

    def _preview(self, view: View) -> None:
        self._previewed = time.monotonic()
        rows = [self.visit.line(row) for row in self.visit.rows.at(view.index)]
        header: Event = {"type": "preview", "frame": view.index, "rows": rows}
        image, self._area = view.image, self.visit.area
        if self._area is not None:
            image, header["area"] = part_of(image, self._area)
        self.outbox.preview(header, encode_preview(image, self.limits.preview_side))

    def _keep(self, view: View) -> bool:
        """Keep a camera's frame with a box for the annotated video; whether one was drawn on it.

        That one is shown again with its box, or an error is the answer.
        """
        assert self.camera is not None and self.visit.camera is not None
        frame = self.camera.shown(view.index)
        if frame is None:
            return False
        self.visit.times[frame.number] = frame.seconds
        if view.rows or frame.box is not None:
            reason = self.visit.camera.append(frame.number, frame.seconds, frame.jpeg)
            if reason is not None:
                text = f"No more of the recording is kept ({reason}): the annotated video ends here"
                self.outbox.post({"type": "notice", "message": f"{text}; boxes go on."})
        return frame.box is not None
