"""A visit: one video or camera opened on the page (its "session"): boxes, files, video."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import PytrackingETError
from ...files import remove_old
from ...frames import DEFAULT_FPS
from ...version import __version__
from ...videos import VideoWriter, h264_program
from ..draw import annotate
from ..recording import Row, Rows
from ..sources import CaptureSource
from .uploads import ClipInfo, Image, Limits, decode_jpeg, open_video

logger = logging.getLogger(__name__)

CSV_HEADER = ("frame", "time", "x", "y", "w", "h", "score", "id", "lost")
# What the page and the downloads get of a row: see CSV_HEADER.
Line = tuple[int, float, float, float, float, float, float | None, int, int]


def to_csv(lines: Sequence[Line]) -> str:
    """Boxes as CSV with a header line; the score is empty where the user drew the box."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(lines)
    return stream.getvalue()


def to_json(lines: Sequence[Line], source: dict[str, Any], tracker: str, low_score: float) -> str:
    """Boxes with what is needed to read them later: source, tracker, convention, threshold."""
    names = ("frame", "time", "box", "score", "target", "lost")
    boxes = [
        dict(zip(names, (frame, time, box, score, target, bool(lost)), strict=True))
        for frame, time, *box, score, target, lost in lines
    ]
    values = {
        "format": "pytracking-et boxes 1",
        "version": __version__,
        "tracker": tracker,
        "source": source,
        "convention": "x, y, w, h in pixels, 0-based, x y is the top-left corner",
        "low_score": low_score,
        "boxes": boxes,
    }
    return json.dumps(values, indent=1)


class Entry(NamedTuple):
    """One JPEG of the file: which frame it is, its time and its size in bytes."""

    frame: int
    seconds: float
    length: int


# Steps this many times as long as usual ones are pauses, in which nothing was tracked.
PAUSE = 5


class CameraFrames:
    """JPEG frames, appended to one file up to `limit` bytes.

    Not a video yet: the frame rate of a camera is known only afterwards, and JPEG bytes as they
    come cost no time while tracking.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._entries: list[Entry] = []
        self._size = 0
        self._full = False
        self._lock = threading.Lock()

    def append(self, frame: int, seconds: float, jpeg: bytes) -> str | None:
        """Keep one frame; the first that is not kept is told why, None otherwise."""
        with self._lock:
            if self._full:
                return None
            if self._size + len(jpeg) > self.limit:
                self._full = True
                return f"it has reached {self.limit >> 20} MB"
            try:
                with self.path.open("ab") as stream:
                    stream.write(jpeg)
            except OSError as error:
                # A part may be there: nothing may follow it.
                self._full = True
                return f"{error.strerror or error}"
            self._entries.append(Entry(frame, seconds, len(jpeg)))
            self._size += len(jpeg)
            return None

    @property
    def fps(self) -> float:
        """Mean rate of the frames without pauses, 1 to 60; DEFAULT_FPS where it is not known."""
        with self._lock:
            steps = np.diff([entry.seconds for entry in self._entries])
        steps = steps[steps > 0]
        if not steps.size:
            return DEFAULT_FPS
        steady = steps[steps <= PAUSE * np.median(steps)]
        return float(np.clip(1 / steady.mean(), 1.0, 60.0))

    def __len__(self) -> int:
        return len(self._entries)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """(frame number, JPEG) of what is kept when iteration starts."""
        with self._lock:
            entries = list(self._entries)
        if not entries:
            return
        with self.path.open("rb") as stream:
            for entry in entries:
                yield entry.frame, stream.read(entry.length)

    def close(self) -> None:
        """Keep no more: the file is about to be removed."""
        with self._lock:
            self._full = True


FOLDER_PREFIX = "ettrack-web-"
# A server touches its folder about once a minute; one untouched for so long was killed.
STALE_SECONDS = 3600.0


class FullError(PytrackingETError):
    """As many sessions are open as the server allows."""

    status = 503


class _Cancelled(Exception):
    """The session was closed meanwhile."""


class Rendering(threading.Thread):
    """Writes the frames up to the last tracked one, with their boxes.

    Attributes:
        version: version of the rows it was made from.
        path: the finished file, None before.
    """

    def __init__(self, session: Visit, limits: Limits, low_score: float) -> None:
        super().__init__(name=f"render-{session.id[:6]}", daemon=True)
        self._session, self._limits, self._low_score = session, limits, low_score
        self.version = session.rows.version
        self._rows: dict[int, list[Row]] = {}
        for row in session.rows.all():
            self._rows.setdefault(row.frame, []).append(row)
        self._done = 0
        self._total = 1
        self.path: Path | None = None
        self.error: str | None = None

    def describe(self) -> dict[str, Any]:
        """State for the page: running with progress 0..1, done with a URL, or failed."""
        if self.error is not None:
            return {"state": "failed", "message": self.error}
        if self.path is not None:
            url = f"/api/sessions/{self._session.id}/{self.path.name}?v={self.version}"
            return {"state": "done", "url": url, "fps": self._session.fps}
        return {"state": "running", "progress": round(min(1.0, self._done / self._total), 3)}

    def run(self) -> None:
        """Thread body; what goes wrong is logged and shown on the page."""
        try:
            self.path = self._write()
        except _Cancelled:
            logger.debug("rendering of a closed session given up")
        except Exception as error:
            logger.exception("rendering failed in session %s", self._session.id[:6])
            self.error = str(error)

    def _write(self) -> Path:
        # Browsers play WebM (VP8), and MP4 where it is H.264.
        name = "annotated.webm" if h264_program() is None else "annotated.mp4"
        with VideoWriter(self._session.folder / name, self._session.fps) as writer:
            for frame, image in self._frames():
                if self._session.closed.is_set():
                    raise _Cancelled
                marks = [row.mark for row in self._rows.get(frame, ())]
                writer.write(annotate(image, marks, low_score=self._low_score))
                self._done += 1
        return writer.path

    def _frames(self) -> Iterator[tuple[int, Image]]:
        """(frame number, RGB image) up to the last row."""
        last = max(self._rows, default=-1)
        camera = self._session.camera
        if camera is not None:
            self._total = max(1, len(camera))
            for frame, jpeg in camera.frames():
                if frame <= last:
                    yield frame, decode_jpeg(jpeg, self._limits)
            return
        self._total = last + 1
        with self._session.video() as source:
            # zip asks the range first, so that nothing is decoded after the last row.
            for index, frame_read in zip(range(last + 1), source):  # noqa: B905  shorter ends
                yield index, frame_read.image


class Visit:
    """Files, clip and rows of one video or camera; isolated from all others by its random id."""

    def __init__(self, folder: Path, clip: ClipInfo) -> None:
        self.id = folder.name
        self.folder = folder
        self.clip = clip
        self.path: Path | None = None  # the uploaded video
        self.suggestion: tuple[float, ...] | None = None  # box to offer on its first frame
        self.camera: CameraFrames | None = None  # or the camera's frames
        self.rows = Rows()
        self.area: tuple[float, float, float, float] | None = None  # what previews show; all
        self.redetect: bool | None = None  # where the tracker can
        self.times: dict[int, float] = {}  # seconds of the camera's frames
        self.rendering: Rendering | None = None
        self.connected = False
        self.left = False  # the page has closed
        self.closed = threading.Event()
        self.deadline = 0.0

    @property
    def mode(self) -> str:
        """`video` or `camera`."""
        return "camera" if self.camera is not None else "video"

    @property
    def fps(self) -> float:
        """Frames a second: the file's, or the mean of the camera."""
        return self.camera.fps if self.camera is not None else self.clip.fps

    def video(self) -> CaptureSource:
        """The uploaded video, to be read from its start."""
        assert self.path is not None
        return open_video(self.path, self.clip.name)

    def line(self, row: Row) -> Line:
        """A row as the page and the downloads get it; the score is None where the user drew it.

        Rounded to 1/1000 pixel, far below what a tracker resolves.
        """
        at = row.frame / self.clip.fps if self.camera is None else self.times.get(row.frame, 0.0)
        x, y, w, h = (round(value, 3) for value in row.box)
        score = None if row.drawn else round(row.score, 4)
        return row.frame, round(at, 4), x, y, w, h, score, row.id, int(row.lost)

    def lines(self) -> list[Line]:
        """All rows so far."""
        return [self.line(row) for row in self.rows.all()]

    def describe(self) -> dict[str, Any]:
        """What the page needs to show this session.

        next: number of the camera's next frame and seconds of its last one. Rows do not tell:
        they may have been removed.
        """
        last, seconds = max(list(self.times.items()), default=(-1, 0.0))
        return {
            "id": self.id,
            "mode": self.mode,
            "clip": asdict(self.clip),
            "rows": self.lines(),
            "next": (last + 1, seconds),
            "suggestion": self.suggestion,
            "connected": self.connected,
        }


class Visits:
    """All open sessions and the temporary folder they live in."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        remove_old(Path(tempfile.gettempdir()), f"{FOLDER_PREFIX}*", STALE_SECONDS)
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self._sessions: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> Visit:
        """A new, empty session; `close` it when filling it fails.

        Raises:
            FullError: as many are open as limits.sessions.
        """
        with self._lock:
            if len(self._sessions) >= self.limits.sessions:
                raise FullError(
                    f"{len(self._sessions)} sessions are open, the most this server takes; close "
                    "one of the other pages and try again"
                )
            identity = secrets.token_urlsafe(16)
            folder = self.folder / identity
            folder.mkdir(mode=0o700)
            session = Visit(folder, ClipInfo(name, 0, 0, DEFAULT_FPS, None))
            session.deadline = time.monotonic() + self.limits.idle_seconds
            self._sessions[identity] = session
            return session

    def get(self, identity: str) -> Visit | None:
        """The session of that id, its time-out set back; None where there is none."""
        with self._lock:
            session = self._sessions.get(identity)
            if session is not None:
                session.deadline = time.monotonic() + self.limits.idle_seconds
                session.left = False
            return session

    def leave(self, session: Visit) -> None:
        """The page closes or reloads: keep the session only for a reload."""
        session.deadline = time.monotonic() + self.limits.leave_seconds
        session.left = True

    def close(self, session: Visit) -> None:
        """End a session and remove its files. Blocks until its renderer has stopped."""
        with self._lock:
            self._sessions.pop(session.id, None)
        session.closed.set()
        if session.rendering is not None:
            session.rendering.join()
        if session.camera is not None:
            session.camera.close()
        # On Windows not before the tracking thread, which the socket's handler stops, has let go.
        for _ in range(50):
            shutil.rmtree(session.folder, ignore_errors=True)
            if not session.folder.exists():
                return
            time.sleep(0.1)
        logger.warning("temporary folder %s could not be removed", session.folder)

    def sweep(self) -> None:
        """Close sessions past their time-out."""
        self.folder.mkdir(mode=0o700, exist_ok=True)  # in case a cleaner of /tmp was here
        os.utime(self.folder)
        now = time.monotonic()
        with self._lock:
            late = [s for s in self._sessions.values() if s.deadline < now and not s.connected]
        for session in late:
            self.close(session)

    def shut_down(self) -> None:
        """Close all sessions and remove the folder."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            self.close(session)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._sessions)
