"""Panels on a Visdom server, with pytracking's call: `register(data, mode, level, title)`.

Drawing never holds up tracking: panels are sent by a thread of their own, the newest state of each
wins, and a server that is absent, dies or comes back is one notice and nothing more.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ParameterError, error_line, pip_line
from .visdom_render import MODES, Panel
from .visdom_server import ADDRESS, address, answers, is_ours

BLOCK_LIST = "block_list"
RETRY_SECONDS = 3.0
REQUEST_TIMEOUT = 3.0


class Visdom:
    """Drop-in for pytracking's wrapper of the same name.

    Args:
        debug: panels whose level is at most this are shown; others are listed, unticked.
        ui_info: `{"handler": function(event), "win_id": title}`: gets keys and clicks of a panel,
            each once (the page repeats them; see `Once`).
        visdom_info: `use_visdom` (True), `server` ("127.0.0.1"), `port` (8097); `started` (False)
            where it is ours: then nothing is sent to another that took its port.

    Panels: "Block List" with a checkbox per title; the rest as registered. Close it (or use it as
    a context manager) so that the last state is sent.
    """

    def __init__(
        self,
        debug: int = 0,
        ui_info: Mapping[str, Any] | None = None,
        visdom_info: Mapping[str, Any] | None = None,
    ) -> None:
        info = dict(visdom_info or {})
        self.debug, self.ui_info = debug, dict(ui_info or {})
        self.started = bool(info.get("started", False))
        self.server = address(ADDRESS if self.started else str(info.get("server", ADDRESS)))
        self.port = int(info.get("port", 8097))
        self.url = f"{self.server}:{self.port}"
        self.enabled = bool(info.get("use_visdom", True)) and debug > 0
        self._panels: dict[str, Panel] = {}
        self._active: dict[str, bool] = {}
        self._pending: dict[str, None] = {}
        self._sent: set[str] = set()
        self._refused: set[str] = set()
        self._client: Any = None
        self._told = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        if self.enabled:
            self._enable()

    def register(
        self, data: Any, mode: str, debug_level: int = 0, title: str = "Data", **options: Any
    ) -> None:
        """Show `data` in the panel `title`.

        Args:
            data: by mode: "image" HxWx3 uint8 RGB (or 3xHxW); "heatmap" HxW; "Tracking" (image,
                boxes x, y, w, h and masks HxW ...); "bbreg" (patch, boxes); "info_dict" mapping;
                "text" HTML; "lineplot" a number to append, or (y, x); "featmap" CxHxW;
                "cost_volume" (and _flip, _ui) HxW or HxWxhxw. torch tensors are accepted.
            debug_level: shown from this level of `debug` on.
            options: taken because pytracking gives them, and not read.

        Raises:
            ParameterError: unknown mode, or data that the mode cannot draw.
        """
        if mode not in MODES:
            raise ParameterError(f"unknown Visdom mode {mode!r}; one of: {', '.join(MODES)}")
        if not self.enabled:
            return
        with self._changed:
            if title not in self._panels:
                self._panels[title] = Panel(title, mode)
                self._active[title] = debug_level <= self.debug
                self._pending[BLOCK_LIST] = None
            self._panels[title].set(data)
            if self._active[title]:
                self._pending.setdefault(title)
            self._changed.notify_all()

    def connected(self, timeout: float = 5.0) -> bool:
        """Whether the server answers; waits for the first attempt."""
        if not self.enabled:
            return False
        with self._changed:
            self._changed.wait_for(lambda: self._client is not None or self._told, timeout)
            return self._client is not None

    def close(self, timeout: float = 5.0) -> None:
        """Send what is left and stop; panels stay on the server."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        if self._client is not None:
            self._client.use_socket = False

    def __enter__(self) -> Visdom:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __deepcopy__(self, memory: dict) -> Visdom:
        """Copies of a tracker draw on the same page."""
        return self

    def _enable(self) -> None:
        try:
            import visdom  # noqa: F401 - only whether it is there
        except ImportError:
            self.enabled = False
            print(
                "notice: Visdom is not installed, tracking goes on without it "
                f"({pip_line('visdom')})",
                file=sys.stderr,
            )
            return
        # Its client logs every failed request and reconnection; one notice of ours is enough.
        logging.getLogger("visdom").setLevel(logging.CRITICAL)
        logging.getLogger("websocket").setLevel(logging.CRITICAL)
        self._thread = threading.Thread(target=self._run, name="visdom", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            if self._client is None:
                self._connect()
            elif self._pending:
                self._send_next()
            elif self._sent:
                self._look()
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._may_send(), RETRY_SECONDS)
                if self._closing and not self._may_send():
                    return

    def _may_send(self) -> bool:
        return self._client is not None and bool(self._pending)

    def _shown(self) -> list[str]:
        return [*(title for title, on in self._active.items() if on), BLOCK_LIST]

    def _look(self) -> None:
        """Notice, while nothing is to be sent, that the server is gone or was started anew."""
        with self._changed:
            titles = self._shown()
        # None where it does not answer. One panel alone the user may have closed.
        found = [self._client.win_exists(title) for title in titles]
        if None in found:
            self._lost("has stopped answering")
        elif True not in found:
            self._client.use_socket = False
            self._connect()

    def _connect(self) -> None:
        there = is_ours(self.port) if self.started else answers(self.server, self.port)
        client = _client(self.server, self.port) if there else None
        if client is None:
            self._lost("does not answer")
            return
        with self._changed:
            came_back, self._told = self._told, False
            self._client = client
            # A server that was restarted has none of the panels.
            self._sent = set()
            self._pending = dict.fromkeys(self._shown() if self._active else [])
            self._changed.notify_all()
        client.register_event_handler(self._on_block_list, BLOCK_LIST)
        if "handler" in self.ui_info:
            client.register_event_handler(Once(self.ui_info["handler"]), self.ui_info["win_id"])
        if came_back:
            print(f"notice: Visdom answers at {self.url}", file=sys.stderr)

    def _lost(self, what: str) -> None:
        if not self._told:
            print(
                f"notice: Visdom at {self.url} {what}; tracking goes on without it and tries again "
                "(--visdom-start starts one here, --use_visdom false turns it off)",
                file=sys.stderr,
            )
        with self._changed:
            if self._client is not None:
                self._client.use_socket = False
            self._client, self._told = None, True
            self._changed.notify_all()

    def _send_next(self) -> None:
        with self._changed:
            if not self._pending:
                return
            # Panels stand in the order in which they first come; the list of them is the last.
            new = (t for t in self._pending if t != BLOCK_LIST and t not in self._sent)
            title = next(new, next(iter(self._pending)))
            del self._pending[title]
            self._sent.add(title)
            panel = self._panels.get(title)
            state = panel.snapshot() if panel is not None else None
            blocks = dict(self._active)
        try:
            if panel is None:
                self._client.properties(
                    [{"type": "checkbox", "name": t, "value": on} for t, on in blocks.items()],
                    win=BLOCK_LIST,
                    opts={"title": "Block List"},
                )
            else:
                panel.send(self._client, state)
        except (ConnectionError, OSError):
            self._lost("has stopped answering")
        except Exception as error:  # whatever a plug-in registered
            if title not in self._refused:
                print(f"notice: panel {title!r} is not shown: {error_line(error)}", file=sys.stderr)
            self._refused.add(title)

    def _on_block_list(self, event: dict[str, Any]) -> None:
        if event.get("event_type") != "PropertyUpdate":
            return
        with self._changed:
            titles = list(self._active)
            index = int(event["propertyId"])
            if not 0 <= index < len(titles):
                return
            title = titles[index]
            self._active[title] = bool(event["value"])
            self._pending[BLOCK_LIST] = None
            if self._active[title]:
                self._pending[title] = None
            self._changed.notify_all()


def _client(server: str, port: int) -> Any:
    """A connected visdom client whose requests end, or None."""
    import requests
    import visdom

    class Client(visdom.Visdom):
        """Requests with a time limit: visdom's own wait for ever on a server that hangs."""

        has_plotly = False

        def _handle_post(self, url: str, data: Any = None) -> str:
            answer = self.session.post(  # type: ignore[attr-defined]
                url, data=data or {}, timeout=REQUEST_TIMEOUT
            )
            return str(answer.text)

    try:
        client = Client(server=server, port=port, raise_exceptions=True, use_incoming_socket=True)
        script = f"{server}:{port}/static/js/plotly-plotly.min.js"
        found = requests.head(script, timeout=REQUEST_TIMEOUT)
    except (ConnectionError, OSError):
        return None
    # Without Plotly on the server (never online) curves and maps are sent as pictures.
    client.has_plotly = found.status_code == 200
    return client


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
