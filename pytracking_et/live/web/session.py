"""One session per opened video or camera: its files, rows and end."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PytrackingETError
from .limits import Limits
from .media import ClipInfo
from .recording import Recording
from .results import Rows

if TYPE_CHECKING:
    from .render import Rendering

logger = logging.getLogger(__name__)

FOLDER_PREFIX = "ettrack-web-"
# A server touches its folder about once a minute; one untouched for so long was killed.
STALE_SECONDS = 3600.0


class FullError(PytrackingETError):
    """As many sessions are open as the server allows."""


class Session:
    """Files, clip and rows of one video or camera; isolated from all others by its random id."""

    def __init__(self, folder: Path, clip: ClipInfo) -> None:
        self.id = folder.name
        self.folder = folder
        self.clip = clip
        self.path: Path | None = None  # the uploaded video
        self.suggestion: tuple[float, ...] | None = None  # box to offer on its first frame
        self.recording: Recording | None = None  # or the camera's frames
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


class SessionStore:
    """All open sessions and the temporary folder they live in."""

    def __init__(self, limits: Limits, parent: Path | None = None) -> None:
        self.limits = limits
        base = Path(tempfile.gettempdir()) if parent is None else parent
        remove_stale(base)
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base))
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> Session:
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
            session = Session(folder, ClipInfo(name, 0, 0, 0.0, None))
            session.deadline = time.monotonic() + self.limits.idle_seconds
            self._sessions[identity] = session
            return session

    def get(self, identity: str) -> Session | None:
        """The session of that id, its time-out set back; None where there is none."""
        with self._lock:
            session = self._sessions.get(identity)
            if session is not None:
                session.deadline = time.monotonic() + self.limits.idle_seconds
            return session

    def leave(self, session: Session) -> None:
        """The page closes or reloads: keep the session only for a reload."""
        session.deadline = time.monotonic() + self.limits.leave_seconds

    def close(self, session: Session) -> None:
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
