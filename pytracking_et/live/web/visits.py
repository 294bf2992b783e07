"""A visit: one video or camera opened on the page (its "session"), with its rows and files."""

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
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ...boxes import Box
from ...errors import PytrackingETError
from ...frames import DEFAULT_FPS
from ...version import __version__
from .media import ClipInfo, Limits

if TYPE_CHECKING:
    from .render import Rendering


CSV_HEADER = ("frame", "time", "x", "y", "w", "h", "score")
BOX_CONVENTION = "x, y, w, h in pixels, 0-based, x y is the top-left corner"


class Row(NamedTuple):
    """One tracked frame.

    frame is 0-based, time in seconds, the box x, y, w, h in pixels, score in 0..1; None where the
    user drew the box.
    """

    frame: int
    time: float
    x: float
    y: float
    w: float
    h: float
    score: float | None

    @classmethod
    def of(cls, frame: int, time: float, box: Box, score: float | None) -> Row:
        """Build from a box (4,); rounded to 1/1000 pixel, far below what a tracker resolves."""
        x, y, w, h = (round(float(value), 3) for value in box)
        return cls(frame, round(time, 4), x, y, w, h, None if score is None else round(score, 4))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, w, h)."""
        return self.x, self.y, self.w, self.h


class Rows:
    """The rows of a session by frame; filled by the tracking thread, read by the server's."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._lock = threading.Lock()
        self.version = 0

    def add(self, row: Row) -> None:
        """Keep the row of a frame; frames come in ascending order."""
        with self._lock:
            self._rows[row.frame] = row
            self.version += 1

    def cut(self, frame: int) -> None:
        """Forget `frame` and all later ones: the target is drawn anew there."""
        with self._lock:
            self._rows = {k: row for k, row in self._rows.items() if k < frame}
            self.version += 1

    def get(self, frame: int) -> Row | None:
        """The row of a frame, None where it was not tracked."""
        with self._lock:
            return self._rows.get(frame)

    def snapshot(self) -> list[Row]:
        """All rows in order of frames."""
        with self._lock:
            return list(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)


def to_csv(rows: list[Row]) -> str:
    """Rows as CSV with a header line; the score is empty where the user drew the box."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(rows)
    return stream.getvalue()


def to_json(rows: list[Row], source: dict[str, Any], tracker: str, low_score: float) -> str:
    """Rows with what is needed to read them later: source, tracker, convention, threshold."""
    return json.dumps(
        {
            "format": "pytracking-et boxes 1",
            "version": __version__,
            "tracker": tracker,
            "source": source,
            "convention": BOX_CONVENTION,
            "low_score": low_score,
            "boxes": [
                {"frame": row.frame, "time": row.time, "box": row.box, "score": row.score}
                for row in rows
            ],
        },
        indent=1,
    )


class Entry(NamedTuple):
    """Where one JPEG lies in the file, and which frame it is."""

    offset: int
    length: int
    frame: int
    seconds: float


class CameraFrames:
    """JPEG frames, appended to one file up to `limit` bytes.

    Not a video yet: the frame rate of a camera is known only afterwards, and JPEG bytes as they
    come cost no time while tracking.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._stream: IO[bytes] | None = None
        self._entries: list[Entry] = []
        self._size = 0
        self._full = False
        self._lock = threading.Lock()

    def append(self, frame: int, seconds: float, jpeg: bytes) -> bool:
        """Keep one frame; False once, when the limit is reached, True otherwise."""
        with self._lock:
            if self._full:
                return True
            if self._size + len(jpeg) > self.limit:
                self._full = True
                return False
            if self._stream is None:
                self._stream = self.path.open("wb", buffering=0)
            self._stream.write(jpeg)
            self._entries.append(Entry(self._size, len(jpeg), frame, seconds))
            self._size += len(jpeg)
            return True

    @property
    def fps(self) -> float:
        """Mean rate of the frames, 1 to 60; DEFAULT_FPS while there are fewer than two."""
        with self._lock:
            entries = list(self._entries)
        if len(entries) < 2 or entries[-1].seconds <= entries[0].seconds:
            return DEFAULT_FPS
        rate = (len(entries) - 1) / (entries[-1].seconds - entries[0].seconds)
        return min(max(rate, 1.0), 60.0)

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
                stream.seek(entry.offset)
                yield entry.frame, stream.read(entry.length)

    def close(self) -> None:
        """Close the file; Windows cannot remove it before."""
        with self._lock:
            self._full = True
            if self._stream is not None:
                self._stream.close()
                self._stream = None


logger = logging.getLogger(__name__)

FOLDER_PREFIX = "ettrack-web-"
# A server touches its folder about once a minute; one untouched for so long was killed.
STALE_SECONDS = 3600.0


class FullError(PytrackingETError):
    """As many sessions are open as the server allows."""


class Visit:
    """Files, clip and rows of one video or camera; isolated from all others by its random id."""

    def __init__(self, folder: Path, clip: ClipInfo) -> None:
        self.id = folder.name
        self.folder = folder
        self.clip = clip
        self.path: Path | None = None  # the uploaded video
        self.suggestion: tuple[float, ...] | None = None  # box to offer on its first frame
        self.recording: CameraFrames | None = None  # or the camera's frames
        self.rows = Rows()
        self.rendering: Rendering | None = None
        self.connected = False
        self.closed = threading.Event()
        self.deadline = 0.0

    @property
    def mode(self) -> str:
        """`video` or `camera`."""
        return "camera" if self.recording is not None else "video"

    def describe(self) -> dict[str, Any]:
        """What the page needs to show this session."""
        return {
            "id": self.id,
            "mode": self.mode,
            "clip": self.clip.as_json(),
            "rows": self.rows.snapshot(),
            "suggestion": self.suggestion,
            "connected": self.connected,
            "rendering": self.rendering.describe() if self.rendering is not None else None,
        }


class Visits:
    """All open sessions and the temporary folder they live in."""

    def __init__(self, limits: Limits, parent: Path | None = None) -> None:
        self.limits = limits
        base = Path(tempfile.gettempdir()) if parent is None else parent
        remove_stale(base)
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base))
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
            session = Visit(folder, ClipInfo(name, 0, 0, 0.0, None))
            session.deadline = time.monotonic() + self.limits.idle_seconds
            self._sessions[identity] = session
            return session

    def get(self, identity: str) -> Visit | None:
        """The session of that id, its time-out set back; None where there is none."""
        with self._lock:
            session = self._sessions.get(identity)
            if session is not None:
                session.deadline = time.monotonic() + self.limits.idle_seconds
            return session

    def leave(self, session: Visit) -> None:
        """The page closes or reloads: keep the session only for a reload."""
        session.deadline = time.monotonic() + self.limits.leave_seconds

    def close(self, session: Visit) -> None:
        """End a session and remove its files. Blocks until its renderer has stopped."""
        with self._lock:
            self._sessions.pop(session.id, None)
        session.closed.set()
        if session.rendering is not None:
            session.rendering.join()
        if session.recording is not None:
            session.recording.close()
        # A tracking thread that still reads the video lets go of it at once (the socket's
        # handler stops it); on Windows the folder cannot be removed before.
        for _ in range(50):
            shutil.rmtree(session.folder, ignore_errors=True)
            if not session.folder.exists():
                return
            time.sleep(0.1)
        logger.warning("temporary folder %s could not be removed", session.folder)

    def sweep(self) -> int:
        """Close sessions past their time-out; returns how many."""
        self.folder.mkdir(mode=0o700, exist_ok=True)  # in case a cleaner of /tmp was here
        os.utime(self.folder)
        now = time.monotonic()
        with self._lock:
            late = [s for s in self._sessions.values() if s.deadline < now and not s.connected]
        for session in late:
            self.close(session)
        return len(late)

    def shut_down(self) -> None:
        """Close all sessions and remove the folder."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            self.close(session)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._sessions)


def remove_stale(parent: Path) -> None:
    """Remove folders of servers that were killed before they could do it themselves."""
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder)
        except OSError as error:
            # Another user's, or removed by another server at the same moment.
            logger.debug("left %s alone: %s", folder, error)
