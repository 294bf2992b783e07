"""The application put together, guarded (the rule of `live.guard`) and run."""

from __future__ import annotations

import asyncio
import io
import logging
import mimetypes
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from ...errors import ParameterError, SourceError
from .. import guard
from ..draw import LOW_SCORE
from .app import STATIC, Server
from .channel import TrackerFactory
from .uploads import Limits
from .visits import FullError

ADDRESS = "127.0.0.1"
# connect-src names the WebSocket schemes because Safari before 15.4 does not count them as 'self'.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    **guard.SECURITY_HEADERS,
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "permissions-policy": "camera=(self), microphone=()",
}


class Guard:
    """ASGI middleware: refuse foreign hosts and origins, add security headers to every answer.

    With a token it also refuses who has neither the link nor the cookie that the link gives.
    """

    def __init__(self, app: ASGIApp, token: str | None = None, host: str = ADDRESS) -> None:
        self.app, self.token, self.host = app, token, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, way = headers.get("host", ""), None
        served = None if self.token is None else self.host
        reason = guard.refusal(host, headers.get("origin"), served)
        if reason is None and self.token is not None:
            query = scope["query_string"].decode("latin-1")
            way = guard.admission(self.token, host, headers.get("cookie", ""), query)
            if way is None:
                reason = "this server asks for a token: open the link that `ettrack serve` printed"

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    if name == "cross-origin-opener-policy" and self.token is not None:
                        continue  # of loopback and https only; browsers complain elsewhere
                    headers.setdefault(name, value)
            await send(message)

        if way == "link" and scope["type"] == "http":
            response: Response = RedirectResponse(scope["path"], status_code=303)
            name = guard.cookie_name(host)
            response.set_cookie(name, self.token or "", httponly=True, samesite="strict")
            await response(scope, receive, send_guarded)
        elif reason is None:
            await self.app(scope, receive, send_guarded)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(code=1008, reason=reason)
        else:
            response = JSONResponse({"error": reason}, status_code=403)
            await response(scope, receive, send_guarded)


logger = logging.getLogger(__name__)

# Windows' registry is asked first, in which other programs make text/plain of .js: browsers run
# no such script.
STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
SWEEP_SECONDS = 5.0


def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=getattr(error, "status", 415))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


def _not_stored(request: Request, error: Exception) -> Response:
    logger.error("request failed", exc_info=error)
    return JSONResponse({"error": f"the server could not store it: {error}"}, status_code=507)


def _gone(request: Request, error: Exception) -> Response:
    # Nobody reads this: the client closed in the middle of its upload. 499 as nginx logs it.
    return Response(status_code=499)


def create_app(
    make_tracker: TrackerFactory,
    tracker: str = "tracker",
    limits: Limits | None = None,
    low_score: float = LOW_SCORE,
    token: str | None = None,
    host: str = ADDRESS,
) -> Starlette:
    """Build the application.

    Args:
        make_tracker: called once per session, in the session's thread; gets RGB frames.
        tracker: name shown on the page and written into the JSON download.
        limits: bounds; the defaults of `Limits` if None.
        low_score: below it a box is grey: the target may be hidden or gone.
        token: what a request must show that may come from another machine; None: none may.
        host: name or address that it is served at, which requests may then name.
    """
    server = Server(make_tracker, tracker, limits or Limits(), low_score)

    async def sweep() -> None:
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, server.limits.idle_seconds / 2))
            try:
                await run_in_threadpool(server.store.sweep)
            except OSError:
                # Must go on: it is what removes users' files.
                logger.exception("temporary files could not be swept; trying again")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(sweep())
        try:
            yield
        finally:
            sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await sweeper
            await run_in_threadpool(server.channel.stop)
            await run_in_threadpool(server.store.shut_down)

    for suffix, kind in STATIC_TYPES.items():
        mimetypes.add_type(kind, suffix)
    session = "/api/sessions/{session}"
    app = Starlette(
        routes=[
            Route("/", server.page),
            Route("/api/info", server.info),
            Route("/api/videos", server.create_video, methods=["POST"]),
            Route("/api/demo", server.create_demo, methods=["POST"]),
            Route("/api/cameras", server.create_camera, methods=["POST"]),
            Route(session, server.show, methods=["GET"]),
            Route(session, server.remove, methods=["DELETE"]),
            Route(f"{session}/leave", server.leave, methods=["POST"]),
            Route(f"{session}/boxes.csv", server.csv),
            Route(f"{session}/boxes.json", server.json),
            Route(f"{session}/tracks.{{kind}}.{{suffix}}", server.tracks),
            Route(f"{session}/render", server.render, methods=["POST"]),
            Route(f"{session}/render", server.rendering, methods=["GET"]),
            Route(f"{session}/annotated.{{suffix}}", server.annotated),
            WebSocketRoute(f"{session}/socket", server.channel.endpoint),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, token=token, host=host)],
        exception_handlers={
            FullError: _refused,
            SourceError: _refused,
            OSError: _not_stored,
            ClientDisconnect: _gone,
            HTTPException: _http_error,
        },
        lifespan=lifespan,
    )
    app.state.server = server
    return app


def bind(port: int, host: str = ADDRESS) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        ParameterError: the port is taken or not allowed, or the host is none of this machine.
    """
    if not 0 <= port <= 65535:
        raise ParameterError(f"--port {port} is not a port; give 1024 to 65535")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ParameterError(
            f"--host {host!r} is no address; give 0.0.0.0 for all of this machine's"
        ) from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        # On Windows this option would let two servers share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ParameterError(
            f"port {port} on {host} cannot be used ({error.strerror}); is another server "
            f"running? Give a free one: --port {port + 1 if port < 65535 else 8000}"
        ) from error
    return listener


def reached_at(host: str) -> str:
    """The address to open for a server at `host`: of the network, where it listens on all."""
    if host not in ("", "0.0.0.0", "::"):
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: nobody; UDP sends nothing yet
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def qr_code(link: str) -> str:
    """A link as a QR code for a terminal; empty where segno is missing or characters would."""
    try:
        import segno
    except ImportError:
        return ""
    stream = io.StringIO()
    segno.make(link, micro=False).terminal(stream, compact=True)
    try:
        stream.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return stream.getvalue()


def serve(
    make_tracker: TrackerFactory,
    tracker: str,
    port: int = 8000,
    limits: Limits | None = None,
    announce: Callable[[str], None] = print,
    low_score: float = LOW_SCORE,
    host: str = ADDRESS,
) -> None:
    """Serve until Ctrl-C; temporary files are removed on the way out.

    Args:
        make_tracker: see `create_app`.
        tracker: name of the tracker, for the page.
        port: 0 takes any free one.
        limits: bounds; the defaults if None.
        announce: gets the address to open.
        low_score: see `create_app`.
        host: address to listen on. Other machines reach one that is not of the loopback, and must
            show a token, which is in the address that is announced.

    Raises:
        ParameterError: the port or host cannot be used.
    """
    limits = limits or Limits()
    token = None if guard.is_loopback(host) else secrets.token_urlsafe(16)
    listener = bind(port, host)
    # The application (and its temporary folder) only after the port is ours.
    app = create_app(make_tracker, tracker, limits, low_score=low_score, token=token, host=host)
    config = uvicorn.Config(
        app,
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=limits.frame_bytes + 8192,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    shown = reached_at(host)
    if ":" in shown:
        shown = f"[{shown}]"
    link = f"/?token={token}" if token else ""
    announce(f"http://{shown}:{listener.getsockname()[1]}{link}")
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after it has shut down
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        app.state.server.store.shut_down()
