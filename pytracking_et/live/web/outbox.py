"""Messages from a tracking thread to the WebSocket of the page, without either waiting long.

Rows are never dropped (they are the result); previews are: only the newest is kept, and while it
has not been sent the thread need not encode another.
"""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from typing import Any

from .results import Row

Event = dict[str, Any]


def pack(header: Event, jpeg: bytes) -> bytes:
    """One binary message: header length (4 bytes, big-endian), header (JSON), JPEG."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">I", len(text)) + text + jpeg


class Outbox:
    """Filled by one tracking thread, emptied by one coroutine of `loop`."""

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
