"""The annotated video of a session, made on request in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..draw import Mark, annotate
from ..writer import open_writer
from .media import Image, Limits, VideoReader, decode_jpeg
from .visits import Row, Visit

logger = logging.getLogger(__name__)


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
        self._session = session
        self._limits = limits
        self._low_score = low_score
        self.version = session.rows.version
        self._rows = {row.frame: row for row in session.rows.snapshot()}
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
            return {"state": "done", "url": url, "fps": self._fps}
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

    @property
    def _fps(self) -> float:
        recording = self._session.recording
        return recording.fps if recording is not None else self._session.clip.fps

    def _write(self) -> Path:
        clip = self._session.clip
        path, writer = open_writer(self._session.folder, self._fps, (clip.width, clip.height))
        with writer:
            for frame, image in self._frames():
                if self._session.closed.is_set():
                    raise _Cancelled
                if image.shape[:2] != (clip.height, clip.width):
                    image = np.asarray(cv2.resize(image, (clip.width, clip.height)), np.uint8)
                writer.write(self._draw(image, self._rows.get(frame)))
                self._done += 1
        return path

    def _frames(self) -> Iterator[tuple[int, Image]]:
        """(frame number, BGR image) up to the last row."""
        last = max(self._rows, default=-1)
        recording = self._session.recording
        if recording is not None:
            self._total = max(1, len(recording))
            for frame, jpeg in recording.frames():
                if frame <= last:
                    yield frame, decode_jpeg(jpeg, self._limits)
            return
        assert self._session.path is not None
        self._total = last + 1
        with VideoReader(self._session.path) as reader:
            # zip asks the range first, so that nothing is decoded after the last row.
            yield from zip(range(last + 1), reader)  # noqa: B905  the shorter one ends it

    def _draw(self, image: Image, row: Row | None) -> Image:
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        if row is None:
            return rgb
        mark = Mark(1, np.asarray(row.box), 1.0 if row.score is None else row.score)
        return annotate(rgb, [mark], low_score=self._low_score)
