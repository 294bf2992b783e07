"""Annotated video files: H.264 through an ffmpeg program where there is one, else OpenCV."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import ImageError, ResultsError, pip_line
from .files import atomic_path, video_problem
from .frames import DEFAULT_FPS
from .names import native_path

# What OpenCV's wheels can encode on Linux, Windows and macOS (tried in this order); H.264 is not
# among it for its licence. MPEG-4 part 2 ("mp4v") plays in no browser, VP9 in MP4 would, but
# takes half a second a frame. VP8 before VP9 in WebM: 50 ms against 190 ms for a still 720p frame.
CODECS: dict[str, tuple[str, ...]] = {
    ".mp4": ("mp4v",),
    ".m4v": ("mp4v",),
    ".mov": ("mp4v",),
    ".mkv": ("mp4v",),
    ".avi": ("MJPG", "XVID"),
    ".webm": ("VP80", "VP90"),
}
# No file of frames is shown faster; encoders fail without a word, or never end, far above it.
MOST_FPS = 1000
H264_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


class VideoWriter:
    """Write RGB frames to a video file.

        with VideoWriter("out.mp4", fps=25) as writer:
            writer.write(image)          # HxWx3 uint8, RGB

    MP4 is H.264 where `h264_program` finds an encoder, otherwise MPEG-4 part 2, which players open
    but browsers do not (`only_for_players`).

    The file appears under its name when the block ends well, or ends by an error or Ctrl-C after
    at least one frame (what was recorded so far is worth keeping); never as a broken file: it is
    read back before it takes its name. Size is that of the first frame, cut to even numbers as
    video codecs need; later frames of another size are fitted into it with black borders.

    Raises:
        ResultsError: unknown suffix, a rate that is none, no codec, folder not writable, no frame
            written, not all that were written can be read back (a full disk), or a file of the
            name that is open in a player on Windows; says where the new one is then.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = DEFAULT_FPS) -> None:
        self.path = Path(path)
        self.fps = fps
        self.frames = 0
        if self.path.suffix.lower() not in CODECS:
            raise ResultsError(f"output {str(path)!r}: video files end in {', '.join(CODECS)}")
        number: Any = fps  # whatever a caller without types gives
        if not (isinstance(number, Real) and 0 < float(number) <= MOST_FPS):
            raise ResultsError(
                f"output {str(path)!r}: fps is {fps!r}; give frames a second, above 0 and up to "
                f"{MOST_FPS} (cameras and streams often announce 0: {DEFAULT_FPS:g} then)"
            )
        self._stack = ExitStack()
        self._temporary: Path | None = None
        self._encoder: cv2.VideoWriter | FfmpegEncoder | None = None
        self._size = (0, 0)

    def __enter__(self) -> VideoWriter:
        try:
            temporary = self._stack.enter_context(atomic_path(self.path))
            self._temporary = self._stack.enter_context(native_path(temporary))
        except OSError as error:
            raise ResultsError(f"output {str(self.path)!r} cannot be written: {error}") from error
        self.frames = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        assert self._temporary is not None
        try:
            with self._stack:  # also where Ctrl-C ends the reading back
                if self._encoder is not None:
                    self._encoder.release()
                problem = video_problem(self._temporary, self.frames)
                if problem is not None:
                    raise ResultsError(f"output {str(self.path)!r}: {problem}")
        except ResultsError:
            if self.frames or kind is None:
                raise
        except OSError as error:
            raise ResultsError(
                f"output {str(self.path)!r} cannot be written: {error.strerror}"
            ) from error
        finally:
            self._encoder = self._temporary = None

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append one frame, RGB HxWx3 uint8.

        Raises:
            ImageError: no picture of bytes; those before it are kept.
            ResultsError: outside of the `with` block, where there is no file.
        """
        if self._temporary is None:
            raise ResultsError(
                f"output {str(self.path)!r} takes frames inside its block alone: "
                "with VideoWriter(...) as writer: writer.write(image)"
            )
        pixels = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size > 0
        if not pixels or image.ndim != 3 or image.shape[2] not in (3, 4):
            kind = f"{getattr(image, 'dtype', type(image).__name__)}, {np.shape(image)}"
            raise ImageError(f"frame {self.frames} of the video is {kind}; give HxWx3 uint8, RGB")
        if self._encoder is None:
            height, width = image.shape[:2]
            self._size = (max(2, width // 2 * 2), max(2, height // 2 * 2))
            self._encoder = self._open()
        frame = _fit(image[:, :, :3], self._size)
        self._encoder.write(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), np.uint8))
        self.frames += 1  # afterwards: Ctrl-C on the way to ffmpeg leaves a part, which it drops

    def _open(self) -> cv2.VideoWriter | FfmpegEncoder:
        suffix, path = self.path.suffix.lower(), str(self._temporary)
        program = h264_program() if suffix in H264_SUFFIXES else None
        if program is not None:
            return FfmpegEncoder(program, path, self.fps, self._size)
        for name in CODECS[suffix]:
            code = cv2.VideoWriter.fourcc(*name)
            writer = cv2.VideoWriter(path, code, self.fps, self._size)
            if writer.isOpened():
                return writer
        raise ResultsError(
            f"output {str(self.path)!r}: this OpenCV can encode none of "
            f"{', '.join(CODECS[suffix])}; "
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


class FfmpegEncoder:
    """H.264 through an `ffmpeg` program, with the methods of `cv2.VideoWriter`.

    Frames are BGR HxWx3 uint8 of one even size.

    What it cannot write shows when the file is read back, as with OpenCV.

    Raises:
        ResultsError: ffmpeg gave up; the message holds its last words.
    """

    def __init__(self, program: str, path: str, fps: float, size: tuple[int, int]) -> None:
        arguments = [
            *(program, "-nostdin", "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}"),
            *("-r", f"{fps:.4f}", "-i", "pipe:0"),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "21"),
            # yuv420p and faststart: what browsers play, at once.
            *("-pix_fmt", "yuv420p", "-movflags", "+faststart", "-threads", "2", path),
        ]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the program
        # In a group of its own: Ctrl-C is for us, who then let it finish the file.
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append one frame."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except OSError as error:
            self._process.wait()
            self._log.seek(0)
            words = self._log.read().decode(errors="replace").strip().splitlines()
            raise ResultsError(f"ffmpeg stopped: {words[-1] if words else error}") from error

    def release(self) -> None:
        """Close the pipe and wait for the file."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone already
            self._process.stdin.close()
        self._process.wait()
        self._log.close()


@lru_cache(maxsize=1)
def h264_program() -> str | None:
    """An ffmpeg that can encode H.264: the system's (some cannot), or imageio-ffmpeg's; or None."""
    found = [shutil.which("ffmpeg")]
    with suppress(ImportError, RuntimeError):  # RuntimeError: installed without its program
        from imageio_ffmpeg import get_ffmpeg_exe

        found.append(get_ffmpeg_exe())
    for program in filter(None, found):
        with suppress(OSError):
            listed = subprocess.run(
                [program, "-hide_banner", "-encoders"], capture_output=True, check=False
            )
            if b"libx264" in listed.stdout:
                return program
    return None


def only_for_players(path: str | os.PathLike[str]) -> str | None:
    """What to say of a video that will play in players but not in browsers; None of others."""
    if Path(path).suffix.lower() not in H264_SUFFIXES or h264_program() is not None:
        return None
    return f"for a video that browsers play: {pip_line('video')}, or name it .webm"
