"""The one reader of image files, and a thread that reads ahead of the tracker.

Pixels are those of `cv2.imread`, for evaluation, live modes, training and calibration alike: an
EXIF orientation is applied, alpha dropped, 16 bit made 8, and RGB instead of BGR.

OpenCV decodes. jpeg4py (libturbojpeg) does where PYTRACKING_ET_READER=jpeg4py asks for it and it
loads. OpenCV is the default because it brings libjpeg-turbo with it: on the UAV123 frames
(1280 x 720) jpeg4py was 1.00 to 1.03 times as fast, with the same pixels, so results do not depend
on the reader (`benchmarks/frame_reading.py` measures it on a machine).
"""

from __future__ import annotations

import io
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import ImageError, ParameterError

Image = NDArray[np.uint8]
Reader = Callable[[str | os.PathLike[str]], Image]

# Twice the frame of an 8K video (7680 x 4320), 200 MB as RGB.
MAX_PIXELS = 8192 * 8192
READERS = ("opencv", "jpeg4py")
JPEG = b"\xff\xd8\xff"
# Decoding to RGB outright saves a pass over the image; older OpenCV (< 4.11) cannot.
DECODES_RGB = hasattr(cv2, "IMREAD_COLOR_RGB")
FLAGS = cv2.IMREAD_COLOR_RGB if DECODES_RGB else cv2.IMREAD_COLOR
# Frames decoded ahead. Tracking needs tens of milliseconds a frame and decoding a few, so a short
# queue is enough; a long one only takes memory (2.8 MB a frame at 1280x720).
AHEAD = 4
# Frames per second where a camera, a folder or a header does not tell: the rate of OTB's videos.
DEFAULT_FPS = 30.0
# EXIF (CIPA DC-008, section 4.6.4): the tag, and its values that exchange width and height.
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)


def check_pixels(width: float, height: float, name: str) -> None:
    """Refuse a picture that would take too much memory; `name` says which it is.

    Raises:
        ImageError: more than MAX_PIXELS.
    """
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} announces {width:g}x{height:g} pixels, more than the {MAX_PIXELS} that are "
            "read; scale it down first"
        )


def check_encoded(data: bytes | NDArray[np.uint8], name: str) -> None:
    """`check_pixels` for an image file's bytes; what has no readable header is for the decoder.

    Raises:
        ImageError: more than MAX_PIXELS.
    """
    head = bytes(data[:24])
    if head.startswith(b"\xff\xd8"):
        size = jpeg_size(data)
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    else:
        size = _pillow_size(data)
    if size is not None:
        check_pixels(*size, name)


def jpeg_size(data: bytes | NDArray[np.uint8]) -> tuple[int, int] | None:
    """(width, height) from a JPEG's frame header (ITU T.81, section B.2.2); None without one."""
    place = 2
    while place + 9 <= len(data):
        # Decoders look for the next marker where there should be one; so may an attacker.
        if data[place] != 0xFF or data[place + 1] in (0x00, 0xFF):
            place += 1
            continue
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return (
                int.from_bytes(bytes(data[place + 7 : place + 9]), "big"),
                int.from_bytes(bytes(data[place + 5 : place + 7]), "big"),
            )
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:  # these stand alone
            place += 2
        else:
            place += 2 + int.from_bytes(bytes(data[place + 2 : place + 4]), "big")
    return None


def _pillow_size(data: bytes | NDArray[np.uint8]) -> tuple[int, int] | None:
    try:
        from PIL import Image as pillow
    except ImportError:
        return None  # an installation for tracking alone; OpenCV has a limit of its own

    try:
        with pillow.open(io.BytesIO(data)) as image:  # type: ignore[arg-type]
            return image.size
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise ImageError(f"an image announces too many pixels: {error}") from error
    except Exception:
        # Pillow knows fewer formats than OpenCV, and its plug-ins fail in many ways: no header.
        return None


def frame_rate(announced: float | None) -> float:
    """Frames per second as a header or driver announces it, or DEFAULT_FPS where it tells none.

    OpenCV passes on a time base for a rate it does not know: 1000 for a browser's recording
    (Matroska counts milliseconds), 90000 for a transport stream, 0 or NaN for others.
    """
    return float(announced) if announced and 1.0 <= announced <= 240.0 else DEFAULT_FPS


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image file as H x W x 3 uint8 RGB, whatever its own format and depth.

    Raises:
        ImageError: the file is missing, empty, truncated or no image; names the file.
    """
    return reader(os.environ.get("PYTRACKING_ET_READER") or "opencv")(path)


@cache
def reader(name: str) -> Reader:
    """The reading function of this name: "opencv", or "jpeg4py" where that loads (else OpenCV).

    Raises:
        ParameterError: unknown name.
    """
    if name not in READERS:
        raise ParameterError(f"unknown image reader {name!r}; use one of {', '.join(READERS)}")
    if name == "opencv":
        return _read_opencv
    try:
        import jpeg4py
    except (ImportError, OSError) as error:
        # Cached with the result, so that this is said once in a process.
        warnings.warn(
            f"jpeg4py cannot be loaded ({error}); reading images with OpenCV. It needs "
            "`pip install jpeg4py` and the system's libturbojpeg (Debian: libturbojpeg0)",
            RuntimeWarning,
            stacklevel=2,
        )
        return _read_opencv

    def read_jpeg4py(path: str | os.PathLike[str]) -> Image:
        data = read_bytes(path)
        # libturbojpeg leaves an EXIF orientation to its caller.
        if not data.startswith(JPEG) or b"Exif\0\0" in data[: 1 << 16]:
            return decode_image(data, path)
        require_complete(data, path)
        try:
            return jpeg4py.JPEG(np.frombuffer(data, np.uint8)).decode()
        except jpeg4py.JPEGRuntimeError:
            # Flavors that libturbojpeg's simple interface refuses, such as CMYK.
            return _decode_opencv(data, path)

    return read_jpeg4py


def _read_opencv(path: str | os.PathLike[str]) -> Image:
    return decode_image(read_bytes(path), path)


def decode_image(data: bytes, name: str | os.PathLike[str]) -> Image:
    """`read_image` of a file's content, H x W x 3 uint8 RGB; `name` is for the error.

    Raises:
        ImageError: empty, truncated or no image.
    """
    if not data:
        raise ImageError(f"frame '{os.fspath(name)}' is empty (0 bytes)")
    require_complete(data, name)
    return _decode_opencv(data, name)


def _decode_opencv(data: bytes, path: str | os.PathLike[str]) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), FLAGS)
    except cv2.error:  # a side beyond its limit
        image = None
    if image is None:
        raise ImageError(f"frame '{os.fspath(path)}' is not an image that can be decoded")
    return cast(Image, image if DECODES_RGB else cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Content of a file; opened by Python because cv2.imread knows only ASCII names on Windows.

    Raises:
        ImageError: missing or unreadable; names the file.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"frame '{os.fspath(path)}' does not exist") from error
    except OSError as error:
        raise ImageError(f"frame '{os.fspath(path)}' cannot be read: {error}") from error


def require_complete(data: bytes, path: str | os.PathLike[str]) -> None:
    """Refuse a truncated JPEG or PNG: OpenCV fills what is missing with gray and says nothing.

    Raises:
        ImageError: the file ends within the image, or announces too many pixels.
    """
    check_encoded(data, f"frame '{os.fspath(path)}'")
    if data.startswith(JPEG):
        # Most files end with the end marker FF D9. Others have bytes behind it: compressed data
        # cannot hold it, and thumbnails, which can, lie before the start of the scan (FF DA).
        complete = data.endswith(b"\xff\xd9") or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    elif data.startswith(b"\x89PNG"):
        complete = b"IEND" in data[-64:]
    else:
        return
    if not complete and not _decodes_fully(data):
        raise ImageError(f"frame '{os.fspath(path)}' is truncated (only {len(data)} bytes)")


def _decodes_fully(data: bytes) -> bool:
    """Pillow's verdict, which is strict, on files that merely lack their end marker."""
    try:
        from PIL import Image as pillow
    except ImportError:
        return False  # an installation for tracking alone: nobody can tell

    try:
        with pillow.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError):
        return False
    return True


def prefetch(paths: Iterable[str]) -> Iterator[Image]:
    """Images of the paths in order, decoded by a thread while the caller works on earlier ones.

    An error is raised where its frame would have come, after all frames before it. The thread
    starts with the first frame asked for, and ends when the iteration ends or is abandoned.

    Raises:
        ImageError: see read_image.
    """
    source = iter(paths)

    def read() -> Image | None:
        path = next(source, None)
        return None if path is None else read_image(path)

    # Not a daemon: Python aborts (SIGABRT) where it ends while such a thread is within OpenCV.
    reader = ThreadPoolExecutor(1, "frame reader")
    try:
        ahead = deque(reader.submit(read) for _ in range(AHEAD))
        while (image := ahead.popleft().result()) is not None:
            ahead.append(reader.submit(read))
            yield image
    finally:
        reader.shutdown(cancel_futures=True)


def read_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height of the image that `read_image` gives, from the file's header where it can.

    Raises:
        ImageError: see read_image.
    """
    from PIL import Image as pillow

    try:
        with pillow.open(path) as image:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            if not turned or image.format != "TIFF":  # of which versions of Pillow turn the size
                return image.size[::-1] if turned else image.size
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError):
        pass  # a kind of file that Pillow does not know, none at all, or too large
    height, width = read_image(path).shape[:2]
    return width, height
