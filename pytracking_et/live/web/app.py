"""The web application: page, uploads, downloads.

POST   /api/videos?name=clip.mp4   body: the file   -> session
POST   /api/demo                                    -> session with a rendered clip
POST   /api/cameras                                 -> session
GET    /api/sessions/ID                             -> session
DELETE /api/sessions/ID                             remove it and its files
POST   /api/sessions/ID/leave                       the page closes or reloads
GET    /api/sessions/ID/boxes.csv, boxes.json
POST   /api/sessions/ID/render                      make the annotated video
GET    /api/sessions/ID/annotated.mp4 or .webm
WS     /api/sessions/ID/socket                      see channel.py

Errors are JSON, {"error": what is wrong and what to do}.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from ...errors import SourceError
from ...frames import DEFAULT_FPS
from ...version import __version__
from ..draw import LOW_SCORE
from . import results, uploads
from .channel import Channel
from .demo import DemoClip
from .guard import Guard
from .limits import Limits
from .media import ACCEPTED, ClipInfo, probe
from .recording import Recording
from .render import Rendering
from .session import FullError, Session, SessionStore
from .target import TrackerFactory
from .uploads import RefusedError

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
SWEEP_SECONDS = 5.0


class Server:
    """Handlers over one SessionStore."""

    def __init__(
        self,
        make_tracker: TrackerFactory,
        tracker: str,
        limits: Limits,
        parent: Path | None,
        low_score: float,
    ) -> None:
        self.tracker = tracker
        self.low_score = low_score
        self.limits = limits
        self.store = SessionStore(limits, parent)
        self.demo_clip = DemoClip(self.store.folder)
        self.channel = Channel(self.store, make_tracker, limits)

    async def page(self, request: Request) -> Response:
        """The one page."""
        return FileResponse(STATIC / "index.html")

    async def info(self, request: Request) -> Response:
        """What the page shows before anything is opened."""
        return JSONResponse(
            {
                "version": __version__,
                "tracker": self.tracker,
                "low_score": self.low_score,
                "accepted": ACCEPTED,
                "upload_bytes": self.limits.upload_bytes,
                "frame_bytes": self.limits.frame_bytes,
            }
        )

    async def create_video(self, request: Request) -> Response:
        """Receive a video, check that it decodes."""
        name = uploads.checked_name(request.query_params.get("name", ""))
        uploads.check_announced_size(request, self.limits.upload_bytes)

        async def fill(session: Session) -> None:
            path = session.folder / "upload.bin"  # never the user's name
            await uploads.receive(request, path, self.limits)
            session.clip = await run_in_threadpool(probe, path, name, self.limits)
            session.path = path

        try:
            return await self._create(name, fill)
        except RefusedError as error:
            if error.status != 408:  # who stalls is not waited for again
                # A browser that is still sending takes an early answer for a broken connection.
                await uploads.discard_rest(request, self.limits)
            raise

    async def create_demo(self, request: Request) -> Response:
        """Open the rendered demo clip; the answer suggests the box to draw."""

        async def fill(session: Session) -> None:
            path, box = await run_in_threadpool(self.demo_clip.get)
            session.clip = await run_in_threadpool(probe, path, "demo clip", self.limits)
            session.path, session.suggestion = path, box

        return await self._create("demo clip", fill)

    async def create_camera(self, request: Request) -> Response:
        """Open a session that gets its frames over the WebSocket."""

        async def fill(session: Session) -> None:
            path = session.folder / "camera.mjpeg"
            session.recording = Recording(path, self.limits.upload_bytes)
            session.clip = ClipInfo("camera", 0, 0, DEFAULT_FPS, None)

        return await self._create("camera", fill)

    async def _create(self, name: str, fill: Callable[[Session], Awaitable[None]]) -> Response:
        """Open a session and fill it; whatever goes wrong leaves no trace."""
        session = self.store.open(name)
        try:
            session.connected = True  # an upload may take longer than the time-out
            await fill(session)
            session.connected = False
        except BaseException:
            # Shielded: a cancelled request (the client went away) must not leave its files.
            await asyncio.shield(run_in_threadpool(self.store.close, session))
            raise
        self.store.get(session.id)
        return JSONResponse(session.describe(), status_code=201)

    def _session(self, request: Request) -> Session:
        session = self.store.get(request.path_params["session"])
        if session is None:
            raise HTTPException(404, "this session has ended and its files are removed")
        return session

    async def show(self, request: Request) -> Response:
        """Describe a session; asking keeps it alive."""
        return JSONResponse(self._session(request).describe())

    async def remove(self, request: Request) -> Response:
        """End a session now."""
        session = self._session(request)
        await run_in_threadpool(self.channel.stop, session)
        await run_in_threadpool(self.store.close, session)
        return Response(status_code=204)

    async def leave(self, request: Request) -> Response:
        """The page goes; navigator.sendBeacon can only POST."""
        self.store.leave(self._session(request))
        return Response(status_code=204)

    async def csv(self, request: Request) -> Response:
        """Download the boxes as CSV."""
        session = self._session(request)
        text = results.to_csv(session.rows.snapshot())
        return _download(text, "text/csv; charset=utf-8", session, "boxes.csv")

    async def json(self, request: Request) -> Response:
        """Download the boxes as JSON."""
        session = self._session(request)
        source = session.clip.as_json()
        text = results.to_json(session.rows.snapshot(), source, self.tracker, self.low_score)
        return _download(text, "application/json", session, "boxes.json")

    async def render(self, request: Request) -> Response:
        """Start the annotated video, unless it is there already for these rows."""
        session = self._session(request)
        if not len(session.rows):
            raise HTTPException(409, "nothing is tracked yet; draw a box first")
        current = session.rendering
        if current is not None and current.is_alive():
            return JSONResponse(current.describe(), status_code=202)
        if current is None or current.error or current.version != session.rows.version:
            session.rendering = current = Rendering(session, self.limits, self.low_score)
            current.start()
        return JSONResponse(current.describe(), status_code=202)

    async def annotated(self, request: Request) -> Response:
        """Download the annotated video; with ?inline=1 the page plays it."""
        session = self._session(request)
        path = session.rendering.path if session.rendering is not None else None
        if path is None or path.name != f"annotated.{request.path_params['suffix']}":
            raise HTTPException(404, "the annotated video is not made yet; POST to render first")
        if request.query_params.get("inline") == "1":
            return FileResponse(path)
        return FileResponse(path, filename=f"{_stem(session)}-tracked{path.suffix}")


def _stem(session: Session) -> str:
    return Path(session.clip.name).stem or "video"


def _download(text: str, kind: str, session: Session, suffix: str) -> Response:
    name = quote(f"{_stem(session)}-{suffix}", safe="")
    disposition = f"attachment; filename*=utf-8''{name}"
    return Response(text, media_type=kind, headers={"content-disposition": disposition})


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, FullError):
        status = 503
    else:
        status = getattr(error, "status", 415)
    return JSONResponse({"error": str(error)}, status_code=status)


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
    parent: Path | None = None,
    low_score: float = LOW_SCORE,
) -> Starlette:
    """Build the application.

    Args:
        make_tracker: called once per session, in the session's thread; gets BGR frames.
        tracker: name shown on the page and written into the JSON download.
        limits: bounds; the defaults of `Limits` if None.
        parent: folder for the temporary folder; the system's if None.
        low_score: below it a box is grey: the target may be hidden or gone.
    """
    server = Server(make_tracker, tracker, limits or Limits(), parent, low_score)

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
            await run_in_threadpool(server.channel.stop_all)
            await run_in_threadpool(server.store.shut_down)

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
            Route(f"{session}/render", server.render, methods=["POST"]),
            Route(f"{session}/annotated.{{suffix}}", server.annotated),
            WebSocketRoute(f"{session}/socket", server.channel.endpoint),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers=_handlers(),
        lifespan=lifespan,
    )
    app.state.server = server
    return app


def _handlers() -> dict[Any, Any]:
    return {
        FullError: _refused,
        SourceError: _refused,
        OSError: _not_stored,
        ClientDisconnect: _gone,
        HTTPException: _http_error,
    }
