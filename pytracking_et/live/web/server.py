"""Runs the application on 127.0.0.1."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from ...errors import ParameterError
from ..draw import LOW_SCORE
from .app import create_app
from .limits import Limits
from .target import TrackerFactory

ADDRESS = "127.0.0.1"


def bind(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes any free one.

    Raises:
        ParameterError: the port is taken or not allowed.
    """
    if not 0 <= port <= 65535:
        raise ParameterError(f"--port {port} is not a port; give 1024 to 65535")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":
        # On Windows this option would let two servers share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ParameterError(
            f"port {port} on {ADDRESS} cannot be used ({error.strerror}); is another server "
            f"running? Give a free one: --port {port + 1 if port < 65535 else 8000}"
        ) from error
    return listener


def serve(
    make_tracker: TrackerFactory,
    tracker: str,
    port: int = 8000,
    limits: Limits | None = None,
    announce: Callable[[str], None] = print,
    low_score: float = LOW_SCORE,
) -> None:
    """Serve until Ctrl-C; temporary files are removed on the way out.

    Args:
        make_tracker: see `create_app`.
        tracker: name of the tracker, for the page.
        port: on 127.0.0.1; 0 takes any free one.
        limits: bounds; the defaults if None.
        announce: gets the address to open.
        low_score: see `create_app`.

    Raises:
        ParameterError: the port cannot be used.
    """
    limits = limits or Limits()
    listener = bind(port)
    # The application (and its temporary folder) only after the port is ours.
    app = create_app(make_tracker, tracker, limits, low_score=low_score)
    config = uvicorn.Config(
        app,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=limits.frame_bytes + 8192,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    announce(f"http://{ADDRESS}:{listener.getsockname()[1]}")
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after it has shut down
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        app.state.server.store.shut_down()
