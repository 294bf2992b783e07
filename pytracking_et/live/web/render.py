"""The annotated video of a session, made on request in a thread of its own."""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ...errors import ResultsError
from ..draw import Mark, annotate
from ..writer import VideoWriter
from .media import Image, Limits, VideoReader, decode_jpeg
from .visits import Row, Visit

logger = logging.getLogger(__name__)


class FrameWriter(Protocol):
    """What `Rendering` writes to: `live.writer.VideoWriter` or `H264Writer`."""

    def __enter__(self) -> FrameWriter: ...
    def __exit__(self, *exception: Any) -> None: ...
    def write(self, image: Image) -> None:
        """Append one frame, RGB HxWx3 uint8."""


class H264Writer:
    """MP4 with H.264, through the `ffmpeg` program: plays in every browser and player.

    OpenCV's wheels cannot encode H.264 for its licence. Frames are RGB HxWx3 uint8 of one size.

    Raises:
        ResultsError: ffmpeg gave up; the message holds its last words.
    """

    def __init__(self, program: str, path: Path, fps: float, size: tuple[int, int]) -> None:
        width, height = size
        arguments = [
            *(program, "-nostdin", "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"),
            *("-r", f"{fps:.4f}", "-i", "pipe:0"),
            # Odd sizes: 4:2:0 needs even ones. yuv420p and faststart: what browsers play at once.
            *("-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2"),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "21"),
            *("-pix_fmt", "yuv420p", "-movflags", "+faststart", "-threads", "2", str(path)),
        ]
        self._log = path.with_suffix(".log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
            )

    def __enter__(self) -> H264Writer:
        return self

    def write(self, image: Image) -> None:
        """Append one frame, RGB HxWx3 uint8."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except OSError as error:
            raise ResultsError(f"ffmpeg stopped: {self._last_words()}") from error

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        assert self._process.stdin is not None
        if kind is not None:
            self._process.kill()
            self._process.wait()
            return
        self._process.stdin.close()
        if self._process.wait() != 0:
            raise ResultsError(f"ffmpeg could not write the video: {self._last_words()}")

    def _last_words(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else "no message"


@lru_cache(maxsize=1)
def h264_program() -> str | None:
    """Path of an ffmpeg that can encode H.264 (some distributions' cannot); None without."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    listed = subprocess.run(
        [program, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    )
    return program if "libx264" in listed.stdout else None


def open_writer(folder: Path, fps: float, size: tuple[int, int]) -> tuple[Path, FrameWriter]:
    """MP4 with H.264 where ffmpeg is installed, else WebM (VP8): browsers play both."""
    program = h264_program()
    if program is not None:
        path = folder / "annotated.mp4"
        return path, H264Writer(program, path, fps, size)
    path = folder / "annotated.webm"
    return path, VideoWriter(path, fps)


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
