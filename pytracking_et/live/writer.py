"""Annotated video files: written whole or not at all (OpenCV), or through ffmpeg as H.264."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ResultsError
from ..files import atomic_path, video_problem
from ..frames import DEFAULT_FPS
from ..names import native_path

# Codecs that OpenCV's wheels can encode on Linux, Windows and macOS (tried in this order). H.264
# is not among them for its licence: MP4 holds MPEG-4 part 2, which players open but browsers do
# not; WebM plays in browsers. VP8 before VP9: a 720p frame takes OpenCV 50 ms against 190 ms.
CODECS: dict[str, tuple[str, ...]] = {
    ".mp4": ("mp4v",),
    ".m4v": ("mp4v",),
    ".mov": ("mp4v",),
    ".mkv": ("mp4v",),
    ".avi": ("MJPG", "XVID"),
    ".webm": ("VP80", "VP90"),
}


class VideoWriter:
    """Write RGB frames to a video file.

        with VideoWriter("out.mp4", fps=25) as writer:
            writer.write(image)          # HxWx3 uint8, RGB

    The file appears under its name when the block ends well, or ends by an error or Ctrl-C after
    at least one frame (what was recorded so far is worth keeping); never as a broken file: it is
    read back before it takes its name. Size is that of the first frame, cut to even numbers as
    video codecs need; later frames of another size are fitted into it with black borders.

    Raises:
        ResultsError: unknown suffix, no codec for it, folder not writable, no frame written, or not
            all that were written can be read back (a full disk).
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = DEFAULT_FPS) -> None:
        self.path = Path(path)
        self.fps = fps
        self.frames = 0
        if self.path.suffix.lower() not in CODECS:
            raise ResultsError(f"output {str(path)!r}: video files end in {', '.join(CODECS)}")
        self._stack = ExitStack()
        self._temporary: Path | None = None
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> VideoWriter:
        try:
            temporary = self._stack.enter_context(atomic_path(self.path))
            self._temporary = self._stack.enter_context(native_path(temporary))
        except OSError as error:
            raise ResultsError(f"output {str(self.path)!r} cannot be written: {error}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if self._writer is not None:
            self._writer.release()
        assert self._temporary is not None
        problem = video_problem(self._temporary, self.frames)
        if problem is None:
            self._stack.close()
            return
        error = ResultsError(f"output {str(self.path)!r}: {problem}")
        self._stack.__exit__(ResultsError, error, None)
        if self.frames or kind is None:
            raise error

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append one frame, RGB HxWx3 uint8."""
        if self._writer is None:
            height, width = image.shape[:2]
            self._size = (max(2, width // 2 * 2), max(2, height // 2 * 2))
            self._writer = self._open()
        frame = _fit(image, self._size)
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def _open(self) -> cv2.VideoWriter:
        names = CODECS[self.path.suffix.lower()]
        for name in names:
            code = cv2.VideoWriter.fourcc(*name)
            writer = cv2.VideoWriter(str(self._temporary), code, self.fps, self._size)
            if writer.isOpened():
                return writer
        raise ResultsError(
            f"output {str(self.path)!r}: this OpenCV can encode none of {', '.join(names)}; "
            "try another suffix, .avi works everywhere (or is the disk full?)"
        )


def _fit(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Image at `size` (width, height): one odd row or column is cut, else scaled and bordered."""
    width, height = size
    have_height, have_width = image.shape[:2]
    if 0 <= have_width - width <= 1 and 0 <= have_height - height <= 1:
        return image[:height, :width]
    scale = min(width / have_width, height / have_height)
    inner = (max(1, round(have_width * scale)), max(1, round(have_height * scale)))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    shrunk = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    canvas[top : top + inner[1], left : left + inner[0]] = shrunk
    return canvas


class FrameWriter(Protocol):
    """What pictures are written to: `VideoWriter` or `H264Writer`."""

    def __enter__(self) -> FrameWriter: ...
    def __exit__(self, *exception: Any) -> None: ...
    def write(self, image: NDArray[np.uint8]) -> None:
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

    def write(self, image: NDArray[np.uint8]) -> None:
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
