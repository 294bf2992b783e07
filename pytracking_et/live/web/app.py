"""The web application: page, uploads, downloads.

POST   /api/videos?name=clip.mp4   body: the file   -> session
POST   /api/demo                                    -> session with a rendered clip
POST   /api/cameras                                 -> session
GET    /api/sessions/ID                             -> session
DELETE /api/sessions/ID                             remove it and its files
POST   /api/sessions/ID/leave                       the page closes or reloads
GET    /api/sessions/ID/boxes.csv, boxes.json, tracks.mot.txt, tracks.coco.json, ...
POST   /api/sessions/ID/render                      make the annotated video
GET    /api/sessions/ID/render                      how far it is; keeps the session alive
GET    /api/sessions/ID/annotated.mp4 or .webm
WS     /api/sessions/ID/socket                      see channel.py

Errors are JSON, {"error": what is wrong and what to do}.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from ...results.exchange import WRITERS, TrackRow
from ...version import __version__
from . import uploads
from .channel import Channel, TrackerFactory
from .uploads import ACCEPTED, DemoClip, Limits, RefusedError, probe
from .visits import CameraFrames, Rendering, Visit, Visits, to_csv, to_json

STATIC = Path(__file__).parent / "static"


class Server:
    """Handlers over one Visits."""

    def __init__(
        self, make_tracker: TrackerFactory, tracker: str, limits: Limits, low_score: float
    ) -> None:
        self.tracker, self.low_score, self.limits = tracker, low_score, limits
        self.store = Visits(limits)
        self.demo_clip = DemoClip(self.store.folder)
        self.channel = Channel(self.store, make_tracker, low_score)

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
        try:
            async with self._created(name) as session:
                path = session.folder / "upload.bin"  # never the user's name
                await uploads.receive(request, path, self.limits)
                session.clip = await run_in_threadpool(probe, path, name, self.limits)
                session.path = path
        except RefusedError as error:
            if error.status != 408:  # who stalls is not waited for again
                # A browser that is still sending takes an early answer for a broken connection.
                await uploads.discard_rest(request, self.limits)
            raise
        return JSONResponse(session.describe(), status_code=201)

    async def create_demo(self, request: Request) -> Response:
        """Open the rendered demo clip; the answer suggests the box to draw."""
        async with self._created("demo clip") as session:
            path, session.suggestion = await run_in_threadpool(self.demo_clip.get)
            session.clip = await run_in_threadpool(probe, path, "demo clip", self.limits)
            session.path = path
        return JSONResponse(session.describe(), status_code=201)

    async def create_camera(self, request: Request) -> Response:
        """Open a session that gets its frames over the WebSocket."""
        async with self._created("camera") as session:
            path = session.folder / "camera.mjpeg"
            session.camera = CameraFrames(path, self.limits.upload_bytes)
        return JSONResponse(session.describe(), status_code=201)

    @asynccontextmanager
    async def _created(self, name: str) -> AsyncIterator[Visit]:
        """A new session, to be filled in the block; whatever goes wrong leaves no trace."""
        session = self.store.open(name)
        try:
            session.connected = True  # an upload may take longer than the time-out
            yield session
            session.connected = False
        except BaseException:
            # Shielded: a cancelled request (the client went away) must not leave its files.
            await asyncio.shield(run_in_threadpool(self.store.close, session))
            raise
        self.store.get(session.id)

    def _session(self, request: Request) -> Visit:
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
        text = to_csv(session.lines())
        return _download(text, "text/csv; charset=utf-8", session, "boxes.csv")

    async def json(self, request: Request) -> Response:
        """Download the boxes as JSON."""
        session = self._session(request)
        text = to_json(session.lines(), asdict(session.clip), self.tracker, self.low_score)
        return _download(text, "application/json", session, "boxes.json")

    async def tracks(self, request: Request) -> Response:
        """Download the tracks in a format of other tools."""
        session = self._session(request)
        kind, suffix = request.path_params["kind"], request.path_params["suffix"]
        if kind not in WRITERS:
            raise HTTPException(404, f"no format {kind!r}; there are {', '.join(WRITERS)}")
        rows = [TrackRow(*row[:4], row.size) for row in session.rows.all()]
        text = WRITERS[kind](rows)
        return _download(text, "text/plain; charset=utf-8", session, f"{kind}.{suffix}")

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

    async def rendering(self, request: Request) -> Response:
        """How far the annotated video is, null where none was asked for; without the rows."""
        current = self._session(request).rendering
        return JSONResponse(None if current is None else current.describe())

    async def annotated(self, request: Request) -> Response:
        """Download the annotated video; with ?inline=1 the page plays it."""
        session = self._session(request)
        path = session.rendering.path if session.rendering is not None else None
        if path is None or path.name != f"annotated.{request.path_params['suffix']}":
            raise HTTPException(404, "the annotated video is not made yet; POST to render first")
        if request.query_params.get("inline") == "1":
            return FileResponse(path)
        return FileResponse(path, filename=f"{_stem(session)}-tracked{path.suffix}")


def _stem(session: Visit) -> str:
    return Path(session.clip.name).stem or "video"


def _download(text: str, kind: str, session: Visit, suffix: str) -> Response:
    name = quote(f"{_stem(session)}-{suffix}", safe="")
    disposition = f"attachment; filename*=utf-8''{name}"
    return Response(text, media_type=kind, headers={"content-disposition": disposition})
