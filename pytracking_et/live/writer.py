"""Annotated video files, written whole or not at all."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

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
