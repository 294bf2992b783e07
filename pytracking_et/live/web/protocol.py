"""Messages of the WebSocket: the page's, checked before anything acts on them; ours, queued."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import threading
from dataclasses import dataclass
from typing import Any

from ...errors import PytrackingETError
from .visits import Row

COMMANDS = frozenset({"play", "pause", "step", "seek", "target", "release"})
HEADER_BYTES = 4096

# WebSocket close codes of our own (4000-4999 are free for applications, RFC 6455, 7.4.2).
CLOSE_PROTOCOL = 4400
CLOSE_UNKNOWN = 4404
CLOSE_BUSY = 4409

BoxValues = tuple[float, float, float, float]


class ProtocolError(PytrackingETError):
    """A message that does not follow the protocol; the connection is closed."""


@dataclass(frozen=True)
class Command:
    """`play`, `pause`, `step`, `release`, `seek` to a frame, or `target`: a box drawn on one."""

    name: str
    box: BoxValues | None = None
    frame: int = 0


@dataclass(frozen=True)
class CameraFrame:
    """One camera frame: number, seconds since the camera was opened, JPEG, box if drawn on it."""

    number: int
    seconds: float
    jpeg: bytes
    box: BoxValues | None


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the message is not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("the message is not a JSON object")
    return value


def _number(value: object, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers of JSON have any length, and beyond this they are no floats.
    if not number or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        raise ProtocolError(f"{name} {str(value)[:40]} is not a finite number")
    return float(value)  # type: ignore[arg-type]


def _box(value: object) -> BoxValues:
    if not isinstance(value, list) or len(value) != 4:
        raise ProtocolError(f"box {value!r} is not a list of four numbers x, y, w, h")
    x, y, w, h = (_number(item, "box value") for item in value)
    return x, y, w, h


def _frame(value: object) -> int:
    # 2**53: numbers of a browser are exact below.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ProtocolError(f"frame {value!r} is not a whole number from 0")
    return value


def parse_command(text: str) -> Command:
    """Read {"type": NAME}, for seek with "frame": n, for target also "box": [x, y, w, h]."""
    message = _object(text)
    name = message.get("type")
    if not isinstance(name, str) or name not in COMMANDS:
        raise ProtocolError(f"unknown message type {name!r}; one of {', '.join(sorted(COMMANDS))}")
    if name == "target":
        return Command(name, _box(message.get("box")), _frame(message.get("frame")))
    if name == "seek":
        return Command(name, frame=_frame(message.get("frame")))
    return Command(name)


def parse_frame(data: bytes) -> CameraFrame:
    """Read a binary message: header length (4 bytes, big-endian), header (JSON), JPEG.

    The header is {"frame": n, "time": seconds} with "box" on the frame the user drew on.
    """
    if len(data) < 4:
        raise ProtocolError("a camera frame of less than 4 bytes")
    (length,) = struct.unpack(">I", data[:4])
    if length > min(HEADER_BYTES, len(data) - 4):
        raise ProtocolError(f"a camera frame with a header of {length} bytes")
    header = _object(data[4 : 4 + length])
    number = _frame(header.get("frame"))
    box = None if header.get("box") is None else _box(header["box"])
    return CameraFrame(number, _number(header.get("time"), "time"), data[4 + length :], box)


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

    def row(self, row: Row, fps: float, milliseconds: float) -> None:
        """Queue one tracked frame; rows that wait are sent together."""
        with self._lock:
            last = self._events[-1] if self._events else None
            if last is None or last["type"] != "rows":
                last = {"type": "rows", "rows": []}
                self._events.append(last)
            last["rows"].append(row)
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
