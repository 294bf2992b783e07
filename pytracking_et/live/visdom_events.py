"""Keys and clicks of Visdom's page, each delivered once.

Visdom 0.2.4 sends a key or click once for every image panel on the page, whichever has the focus,
and of a click only the last message has the place (that of the panel the mouse moved over last).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

# Repeats arrive within this time; nobody presses one key twice as fast.
ECHO_SECONDS = 0.1


class Once:
    """Calls `handler(event)` once per key (at once) and click (when its repeats have come)."""

    def __init__(self, handler: Callable[[dict[str, Any]], None]) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self._key, self._time = "", float("-inf")
        self._click: threading.Timer | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Take an event from the visdom client's thread."""
        kind = event.get("event_type")
        if kind == "Click":
            with self._lock:
                if self._click is not None:
                    self._click.cancel()
                self._click = threading.Timer(ECHO_SECONDS, self._handler, [event])
                self._click.daemon = True
                self._click.start()
            return
        if kind == "KeyPress":
            key, now = str(event.get("key", "")), time.monotonic()
            with self._lock:
                repeated = key == self._key and now - self._time < ECHO_SECONDS
                self._key, self._time = key, now
            if repeated:
                return
        self._handler(event)
