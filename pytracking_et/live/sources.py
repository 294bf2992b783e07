"""Where frames come from: camera, device path, video file, image folder or pattern, URL.

    with open_source("clip.mp4") as source:
        for frame in source:
            frame.image        # HxWx3 uint8, RGB

A source hands out frames one after another in its own pace; `reader.Reader` runs it in a thread.
"""

from __future__ import annotations

import glob
import os
import re
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, SourceError
from ..files import IMAGE_SUFFIXES, is_image, natural_key
from ..frames import DEFAULT_FPS, check_pixels, frame_rate, read_image
from ..names import file_stem, native_path

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
# A network source that is silent this long is treated as gone rather than waited for.
URL_TIMEOUT_MS = 10_000
# FFmpeg's reader of ANSI art takes any file whose name ends in .txt, and draws its letters.
ANSI_TEXT = cv2.VideoWriter.fourcc(*"ansi")
# The tables of an hour of video take a few hundred kB.
_LARGEST_TABLES = 1 << 26


@dataclass(frozen=True)
class Frame:
    """One frame: position from 0, image HxWx3 uint8 RGB, `time.monotonic()` when it was read.

    keep: of a live source, not to be dropped for a newer one.
    """

    index: int
    image: NDArray[np.uint8]
    time: float
    keep: bool = False


class Source(Protocol):
    """What the reader needs of a source."""

    name: str  # for file names: the file's stem, "webcam", ...
    live: bool  # True: frames come whether or not somebody reads; late ones may be dropped
    fps: float  # DEFAULT_FPS where it is not known
    length: int | None  # frames announced, if known; files can hold fewer

    def __enter__(self) -> Source: ...
    def __exit__(self, *exception: object) -> None: ...
    def __iter__(self) -> Iterator[Frame]: ...


class SeekableSource(Source, Protocol):
    """A source that can begin again: iteration goes on at `position`."""

    position: int

    def rewind(self) -> None:
        """Go back to the first frame."""

    def skip(self) -> bool:
        """Pass over one frame, cheaper than reading it; False at the end."""


class CaptureSource:
    """Camera, video file or stream through cv2.VideoCapture.

    Args:
        backend: of OpenCV; any that opens it by default.
    """

    def __init__(self, spec: str | int, name: str, live: bool, backend: int = cv2.CAP_ANY) -> None:
        self.spec, self.name, self.live, self.backend = spec, name, live, backend
        self.position = 0
        self.capture = _open_capture(spec, live, backend)
        if not self.capture.isOpened():
            raise SourceError(_cannot_open(spec))
        if not live and int(self.capture.get(cv2.CAP_PROP_FOURCC)) == ANSI_TEXT:
            self.capture.release()
            raise SourceError(f"{_describe(spec)} is a text file, not a video")
        try:
            check_pixels(*self.size, _describe(spec))
        except ImageError as error:
            self.capture.release()
            raise SourceError(str(error)) from error
        self.fps = frame_rate(self.capture.get(cv2.CAP_PROP_FPS))
        count = 0 if live else int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = shown_frames(spec, count, self.fps) if count > 0 else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that the header announces, in pixels; 0 where it does not."""
        sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(self.capture.get(side)) for side in sides)
        return width, height

    def rewind(self) -> None:
        """Go back to the first frame.

        By opening the file again: containers' own seeking lands on another frame than it says.
        """
        self.capture.release()
        self.capture = _open_capture(self.spec, self.live, self.backend)
        self.position = 0

    def skip(self) -> bool:
        """Pass over one frame; False at the end."""
        passed = bool(self.capture.grab())
        self.position += passed
        return passed

    def __enter__(self) -> CaptureSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.capture.release()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            index = self.position
            try:
                ok, image = self.capture.read()
            except cv2.error as error:
                raise SourceError(
                    f"{self.name}: frame {index} cannot be decoded: {error}"
                ) from error
            if not ok or image is None:
                break
            self.position += 1
            yield Frame(index, _to_rgb(image), time.monotonic())
        if self.live:
            raise SourceError(
                f"{_describe(self.spec)} stopped delivering frames after {index}; "
                "is it still connected, or used by another program?"
            )
        if index == 0:
            raise SourceError(
                f"{_describe(self.spec)} ends at once: it opens but holds no frame that can be "
                "decoded; is the file complete, and its codec known to OpenCV?"
            )


class ImageSource:
    """Images in a folder or matching a pattern, in natural order (img2 before img10)."""

    live: bool = False
    fps: float = DEFAULT_FPS

    def __init__(self, spec: str, name: str, paths: list[Path]) -> None:
        self.spec, self.name, self.paths = spec, name, paths
        self.length: int | None = len(paths)
        self.position = 0

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __iter__(self) -> Iterator[Frame]:
        while self.position < len(self.paths):
            index = self.position
            try:
                image = read_image(self.paths[index])
            except ImageError as error:
                raise SourceError(f"frame {index} of {self.spec!r}: {error}") from error
            self.position += 1
            yield Frame(index, image, time.monotonic())

    def rewind(self) -> None:
        """Go back to the first image."""
        self.position = 0

    def skip(self) -> bool:
        """Pass over one image; False at the end."""
        self.position += 1
        return self.position <= len(self.paths)


def open_source(spec: str | int | os.PathLike[str]) -> CaptureSource | ImageSource:
    """Open what `spec` names.

    Args:
        spec: camera index ("0", where no folder has this name), device path ("/dev/video0"),
            video file, image file, folder of images, pattern ("img/%06d.jpg" or "img/*.png"),
            or rtsp://, http://, udp:// URL.
            A URL that ends in a video suffix is read as a file (no frame is dropped).

    Raises:
        SourceError: nothing there, cannot be opened, or no frame in it.
    """
    text = os.fspath(spec) if not isinstance(spec, int) else str(spec)
    # Sequences are often folders with a number for a name.
    if re.fullmatch(r"\d{1,9}", text) and not Path(text).is_dir():
        return CaptureSource(int(text), "webcam", live=True)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text):
        # Not urlparse, which refuses brackets in a password.
        path = Path(re.sub(r"^[^:]+://[^/?#]*|[;?#].*", "", text))
        is_file = path.suffix.lower() in VIDEO_SUFFIXES
        name = file_stem(path.stem) if is_file else "stream"
        return CaptureSource(text, name, live=not is_file)
    path = Path(text)
    # An empty text, such as a script's variable that is not set, would be the folder we are in.
    if text and path.is_dir():
        found = [item for item in path.iterdir() if is_image(item.name)]
        return ImageSource(text, _folder_name(path), _ordered(found, text))
    if not path.exists() and ("%" in text or any(letter in text for letter in "*?[")):
        return ImageSource(text, _folder_name(path.parent), _ordered(_matching(text), text))
    if path.is_char_device():
        return CaptureSource(text, "webcam", live=True)
    if not text or not path.exists():
        raise SourceError(
            f"source {text!r} does not exist; give a camera index, a device path, a video file, "
            "a folder or pattern of images, or a URL"
        )
    if is_image(path.name):
        return ImageSource(text, file_stem(path.stem), [path])
    if path.is_file() and path.stat().st_size == 0:  # a pipe is always empty
        raise SourceError(f"video {text!r} is empty (0 bytes)")
    return CaptureSource(text, file_stem(path.stem), live=False)


def breaks_off(read: int, announced: int | None) -> bool:
    """Whether a video of which `read` frames came out lacks a part of the `announced` ones.

    Headers of intact files are off by a frame or two; a file that was cut lacks many.
    """
    return announced is not None and read < 0.98 * announced - 2


def shown_frames(spec: str | int | os.PathLike[str], count: int, fps: float) -> int:
    """Frames that a player shows of the `count` in a video file: an MP4's edit list may trim it.

    The edit list (ISO 14496-12, section 8.6.6) says which stretches of a track are shown, in units
    of the movie's time scale. Other files, and what is no valid MP4, show all they hold.
    """
    path = Path(str(spec))
    if not path.is_file():  # a pipe is read once
        return count
    try:
        seconds = _edited_seconds(_movie_box(path))
    except (OSError, struct.error):
        return count
    return min(count, round(seconds * fps)) if seconds > 0 else count


def _movie_box(path: Path) -> bytes:
    """Content of the box `moov`, which holds the tables; empty where there is none."""
    with path.open("rb") as stream:
        while len(head := stream.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            size, start = (struct.unpack(">Q", stream.read(8))[0], 16) if size == 1 else (size, 8)
            if kind == b"moov":
                return stream.read(min(size - start, _LARGEST_TABLES)) if size > start else b""
            if size < start or not kind.isalnum():
                break
            stream.seek(size - start, os.SEEK_CUR)
    return b""


def _edited_seconds(movie: bytes) -> float:
    """Seconds that the longest video track of a movie shows by its edit list; 0 without one."""
    shown = [0]
    for kind, track in _boxes(movie):
        media = dict(_boxes(dict(_boxes(track)).get(b"mdia", b""))) if kind == b"trak" else {}
        if media.get(b"hdlr", b"")[8:12] == b"vide":
            edits = dict(_boxes(dict(_boxes(track)).get(b"edts", b""))).get(b"elst", b"")
            form = ">Qq4x" if edits[:1] == b"\1" else ">Ii4x"
            whole = len(edits[8:]) // struct.calcsize(form) * struct.calcsize(form)
            entries = struct.iter_unpack(form, edits[8 : 8 + whole])
            # -1 is a pause before the first picture.
            shown.append(sum(duration for duration, start in entries if start != -1))
    head = dict(_boxes(movie)).get(b"mvhd", b"")
    scale = struct.unpack_from(">I", head, 20 if head[:1] == b"\1" else 12)[0]
    return max(shown) / scale if scale else 0.0


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes that lie one after the other in another one."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size < 8:
            break
        yield kind, data[place + 8 : place + size]
        place += size


def _open_capture(spec: str | int, live: bool, backend: int) -> cv2.VideoCapture:
    if isinstance(spec, str) and "://" in spec:
        timeouts = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, URL_TIMEOUT_MS),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, URL_TIMEOUT_MS),
        ]
        capture = cv2.VideoCapture(spec, cv2.CAP_FFMPEG, timeouts)
    elif isinstance(spec, str):
        with native_path(spec) as path:
            capture = cv2.VideoCapture(str(path), backend)
    else:
        capture = cv2.VideoCapture(spec, backend)
    if live:
        # The driver's own queue would add frames of delay; backends that cannot, ignore it.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _folder_name(folder: Path) -> str:
    """OTB and LaSOT keep frames in <sequence>/img: the sequence's name tells more than "img"."""
    folder = folder.resolve()
    above = folder.name in ("img", "color", "frames")
    return file_stem(folder.parent.name if above else folder.name)


def _matching(pattern: str) -> list[Path]:
    """Files of a shell pattern, or of a printf pattern with one number (%d, %06d)."""
    if "%" not in pattern:
        return [Path(name) for name in glob.glob(pattern)]  # noqa: PTH207 - keeps absolute patterns
    folder, name = Path(pattern).parent, Path(pattern).name
    parts = re.split(r"%0?\d*d", name)
    if len(parts) != 2:
        raise SourceError(f"pattern {pattern!r} needs exactly one number field such as %06d")
    expression = re.compile(rf"{re.escape(parts[0])}\d+{re.escape(parts[1])}")
    if not folder.is_dir():
        raise SourceError(f"pattern {pattern!r}: the folder {str(folder)!r} does not exist")
    return [item for item in folder.iterdir() if expression.fullmatch(item.name)]


def _ordered(paths: list[Path], spec: str) -> list[Path]:
    if not paths:
        raise SourceError(
            f"no image in {spec!r}; files that count end in {', '.join(IMAGE_SUFFIXES)}"
        )
    return sorted(paths, key=lambda path: natural_key(path.name))


def _describe(spec: str | int) -> str:
    if isinstance(spec, int):
        return f"camera {spec}"
    if "://" in spec:
        # Without a password: after the user's name, or somewhere in the query.
        shown = re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", spec)
        return f"stream {re.sub(r'[?].*', '?***', shown)!r}"
    return f"{'camera' if Path(spec).is_char_device() else 'video'} {spec!r}"


def _cannot_open(spec: str | int) -> str:
    name = _describe(spec)
    if name.startswith("camera"):
        return (
            f"{name} cannot be opened; is one connected, free, and may this user read it? "
            "--source takes another index, a video file or a URL"
        )
    if name.startswith("stream"):
        return f"{name} cannot be opened; check the address, the network and the password"
    return f"{name} cannot be opened; it is damaged, not a video, or of a codec OpenCV lacks"
