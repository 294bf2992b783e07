"""Videos and JPEG frames as they come from a browser: recognised, checked, decoded.

Nothing that is sent here is trusted. A video is recognised by its first bytes before FFmpeg sees
it, because FFmpeg also opens play lists that point to other files and hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, SourceError
from ...frames import frame_rate, jpeg_size
from ..sources import shown_frames

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one server accepts before it refuses, and how long it keeps what it took.

    Attributes:
        upload_bytes: largest video, and largest camera recording kept for the annotated video.
        upload_stall_seconds: an upload that brings nothing for so long is ended, and one that falls
            so far behind `upload_rate`, bytes a second: it holds a session meanwhile.
        frame_bytes: largest single camera frame (JPEG) on the WebSocket.
        sessions: videos and cameras open at once; each holds a tracker and a temporary folder.
        idle_seconds: a session nobody asked about for so long is removed with its files. Hidden
            browser tabs may run timers only once a minute, hence minutes.
        leave_seconds: the same once the page has said that it closes; long enough for a reload.
        min_side: smallest side of a frame that is tracked.
        max_pixels: most pixels of a frame that is tracked.
        preview_side: longer side of the JPEG previews sent to the page, in pixels.
    """

    upload_bytes: int = 512 * MEGABYTE
    upload_stall_seconds: float = 30.0
    upload_rate: float = 16 * 1024
    frame_bytes: int = 4 * MEGABYTE
    sessions: int = 10
    idle_seconds: float = 300.0
    leave_seconds: float = 30.0
    min_side: int = 32
    max_pixels: int = 4096 * 4096
    preview_side: int = 960


Image = NDArray[np.uint8]

# (offset, bytes) that open the containers people have videos in. Signatures from the containers'
# own specifications: ISO 14496-12 (ftyp ... QuickTime's older atoms), EBML (Matroska, WebM), RIFF,
# MPEG-1/2 program stream, ASF, FLV, Ogg.
SIGNATURES: tuple[tuple[int, bytes], ...] = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1a\x45\xdf\xa3"),
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    (0, b"FLV\x01"),
    (0, b"OggS"),
)
TRANSPORT_PACKET = 188  # MPEG-2 transport stream: every packet opens with 0x47
HEAD_BYTES = 4 * TRANSPORT_PACKET
ACCEPTED = "MP4, MOV, WebM, MKV, AVI, MPEG, TS, WMV, FLV or OGG"


@dataclass(frozen=True)
class ClipInfo:
    """A video: shown name, frame size in pixels, frames per second, frame count if known."""

    name: str
    width: int
    height: int
    fps: float
    frames: int | None

    def as_json(self) -> dict[str, Any]:
        """Plain values for the page and for the JSON download."""
        return asdict(self)


def looks_like_video(head: bytes) -> bool:
    """Whether the first HEAD_BYTES of a file are those of a video container."""
    if any(head[offset : offset + len(mark)] == mark for offset, mark in SIGNATURES):
        return True
    return len(head) > 2 * TRANSPORT_PACKET and all(
        head[k * TRANSPORT_PACKET] == 0x47 for k in range(3)
    )


class VideoReader:
    """Frames of a video file in order, BGR HxWx3 uint8; a context manager.

    Raises:
        SourceError: the file cannot be opened as a video.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SourceError("the file does not decode as a video; is it complete?")

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def read(self) -> Image | None:
        """The next frame, or None at the end (or where the file is cut off)."""
        good, image = self._capture.read()
        return np.asarray(image, np.uint8) if good and image is not None else None

    def skip(self) -> bool:
        """Pass over one frame, cheaper than reading it; False at the end."""
        return bool(self._capture.grab())

    def __iter__(self) -> Iterator[Image]:
        while (image := self.read()) is not None:
            yield image

    def close(self) -> None:
        """Release the file; Windows cannot remove it before."""
        self._capture.release()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that the header announces, in pixels; 0 where it does not."""
        sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(self._capture.get(side)) for side in sides)
        return width, height

    @property
    def fps(self) -> float:
        """Frames per second of the header, or DEFAULT_FPS where it does not tell."""
        return frame_rate(self._capture.get(cv2.CAP_PROP_FPS))

    @property
    def frames(self) -> int | None:
        """Frames to be shown, by the header; None where it is unknown."""
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return shown_frames(self._path, int(count), self.fps) if 0 < count < 1e8 else None


def probe(path: Path, name: str, limits: Limits) -> ClipInfo:
    """Decode the first frame of a video and describe it.

    Raises:
        SourceError: it does not decode, or its frames are too small or too large.
    """
    with VideoReader(path) as reader:
        # What the header says, before a frame of that size is allocated; then what is there.
        width, height = reader.size
        if width * height > limits.max_pixels:
            check_size(width, height, limits)
        image = reader.read()
        if image is None:
            raise SourceError(f"{name!r} holds no frame that decodes; is the file complete?")
        height, width = image.shape[:2]
        check_size(width, height, limits)
        return ClipInfo(name, width, height, reader.fps, reader.frames)


def check_size(width: int, height: int, limits: Limits) -> None:
    """Raise SourceError for frames that are too small to hold a target or too large to keep."""
    if min(width, height) < limits.min_side or width * height > limits.max_pixels:
        raise SourceError(
            f"frames of {width}x{height} pixels are not supported; each side must be at least "
            f"{limits.min_side} and the area at most {limits.max_pixels} pixels"
        )


def decode_jpeg(data: bytes, limits: Limits) -> Image:
    """Decode one camera frame to BGR HxWx3 uint8.

    Raises:
        ImageError: not a JPEG, or damaged.
        SourceError: a frame size that is not supported.
    """
    size = jpeg_size(data) if data.startswith(b"\xff\xd8") else None
    if size is None:
        raise ImageError("the frame is not a complete JPEG; send image/jpeg")
    check_size(*size, limits)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError("the JPEG frame is damaged and does not decode")
    return np.asarray(image, np.uint8)


def encode_preview(image: Image, side: int, quality: int = 80) -> bytes:
    """JPEG of `image` (BGR), scaled down so that its longer side is at most `side` pixels."""
    scale = side / max(image.shape[:2])
    if scale < 1.0:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise ImageError(f"a frame of shape {image.shape} could not be written as JPEG")
    return data.tobytes()
