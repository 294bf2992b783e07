"""What comes from a browser: videos and JPEG frames recognised, checked, decoded; the demo clip.

Nothing that is sent here is trusted. A video is recognised by its first bytes before FFmpeg sees
it, because FFmpeg also opens play lists that point to other files and hosts. It is taken within the
limits, or refused without a trace.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from ...errors import ImageError, SourceError
from ...frames import jpeg_size
from ...videos import VideoWriter
from ..clip import FPS, render
from ..sources import CaptureSource

MEGABYTE = 1 << 20
PREVIEW_QUALITY = 80


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


def looks_like_video(head: bytes) -> bool:
    """Whether the first HEAD_BYTES of a file are those of a video container."""
    if any(head[offset : offset + len(mark)] == mark for offset, mark in SIGNATURES):
        return True
    return len(head) > 2 * TRANSPORT_PACKET and all(
        head[k * TRANSPORT_PACKET] == 0x47 for k in range(3)
    )


def open_video(path: Path, name: str) -> CaptureSource:
    """A video to be read, by FFmpeg alone.

    Raises:
        SourceError: the file cannot be opened as a video.
    """
    try:
        return CaptureSource(str(path), name, live=False, backend=cv2.CAP_FFMPEG)
    except SourceError as error:
        raise SourceError("the file does not decode as a video; is it complete?") from error


def probe(path: Path, name: str, limits: Limits) -> ClipInfo:
    """Decode the first frame of a video and describe it.

    Raises:
        SourceError: it does not decode, or its frames are too small or too large.
    """
    with open_video(path, name) as source:
        # What the header says, before a frame of that size is allocated; then what is there.
        width, height = source.size
        if width * height > limits.max_pixels:
            check_size(width, height, limits)
        try:
            image = next(iter(source)).image
        except SourceError as error:
            raise SourceError(
                f"{name!r} holds no frame that decodes; is the file complete?"
            ) from error
        height, width = image.shape[:2]
        check_size(width, height, limits)
        return ClipInfo(name, width, height, source.fps, source.length)


def check_size(width: int, height: int, limits: Limits) -> None:
    """Raise SourceError for frames that are too small to hold a target or too large to keep."""
    if min(width, height) < limits.min_side or width * height > limits.max_pixels:
        raise SourceError(
            f"frames of {width}x{height} pixels are not supported; each side must be at least "
            f"{limits.min_side} and the area at most {limits.max_pixels} pixels"
        )


def decode_jpeg(data: bytes, limits: Limits) -> Image:
    """Decode one camera frame to RGB HxWx3 uint8.

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
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def encode_preview(image: Image, side: int) -> bytes:
    """JPEG of `image` (RGB), scaled down so that its longer side is at most `side` pixels."""
    scale = min(1.0, side / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    good, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY])
    if not good:
        raise ImageError(f"a frame of shape {image.shape} could not be written as JPEG")
    return data.tobytes()


MAX_NAME = 200
# The name is only shown, and offered again as the name of downloads; no file is ever opened under
# it. What is refused here cannot come from a browser's file dialogue by accident.
BAD_NAME = re.compile(r"[/\\<>\x00-\x1f\x7f]|^[A-Za-z]:|^\.+$")


class RefusedError(SourceError):
    """An upload that is not accepted; `status` is the HTTP status that says why."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def checked_name(name: str) -> str:
    """A file name fit for display.

    Raises:
        RefusedError: empty, longer than MAX_NAME, a path, markup or control characters.
    """
    shown = name.strip()
    if not shown:
        raise RefusedError("the video has no name; send it as ?name=clip.mp4", 400)
    if len(shown) > MAX_NAME:
        raise RefusedError(f"the file name has {len(shown)} characters, more than {MAX_NAME}", 400)
    if BAD_NAME.search(shown):
        raise RefusedError(
            f"the file name {shown!r} holds a path, < > or control characters; rename the file", 400
        )
    return shown


def check_announced_size(request: Request, limit: int) -> None:
    """Refuse by Content-Length before anything is read.

    Raises:
        RefusedError: too large, empty, or not a number.
    """
    announced = request.headers.get("content-length")
    if announced is None:  # chunked; counted while it comes
        return
    if not announced.isdecimal() or len(announced) > 20:
        raise RefusedError(f"Content-Length {announced!r} is not a number", 400)
    check_bytes(int(announced), limit)


def check_bytes(size: int, limit: int) -> None:
    """Raise RefusedError for a file that is empty or larger than `limit` bytes."""
    if size == 0:
        raise RefusedError("the file is empty (0 bytes)", 400)
    if size > limit:
        raise RefusedError(
            f"the file has {size / MEGABYTE:.1f} MB or more; this server takes up to "
            f"{limit / MEGABYTE:g} MB (start it with a larger --max-upload-mb)",
            413,
        )


async def _chunks(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The request's body as it comes; RefusedError where it comes too slowly."""
    stream, size, start = request.stream(), 0, time.monotonic()
    while True:
        behind = time.monotonic() - start - size / limits.upload_rate
        patience = limits.upload_stall_seconds - max(behind, 0.0)
        try:
            with anyio.fail_after(max(patience, 0.0)):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise RefusedError(
                f"the upload stalled after {size} bytes; send it again over a faster connection",
                408,
            ) from error
        size += len(chunk)
        yield chunk


async def receive(request: Request, path: Path, limits: Limits) -> None:
    """Write the request's body to `path`, within the limits and only if it may be a video.

    Raises:
        RefusedError: empty, too large, too slow, or not a video by its first bytes.
        ClientDisconnect: the client went away (starlette); the caller removes what came.
    """
    limit = limits.upload_bytes
    size, head = 0, b""
    with path.open("xb") as stream:
        async for chunk in _chunks(request, limits):
            size += len(chunk)
            if size > limit:
                check_bytes(size, limit)
            if len(head) < HEAD_BYTES:
                head += chunk
                if len(head) >= HEAD_BYTES:
                    check_head(head)
            await run_in_threadpool(stream.write, chunk)
    check_bytes(size, limit)
    check_head(head)


async def discard_rest(request: Request, limits: Limits) -> None:
    """Read what the client still sends, within the limits, and forget it."""
    size = 0
    # RuntimeError: it was read to the end before. RefusedError: it is told of another already.
    with suppress(ClientDisconnect, RuntimeError, RefusedError):
        async for chunk in _chunks(request, limits):
            size += len(chunk)
            if size > limits.upload_bytes:
                return


def check_head(head: bytes) -> None:
    """Raise RefusedError unless these are the first bytes of a video file."""
    if not looks_like_video(head[:HEAD_BYTES]):
        raise RefusedError(f"the file is not a video; choose {ACCEPTED}", 415)


DEMO_FRAMES = 150


class DemoClip:
    """Writes the clip of `live.clip` into `folder`, once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "demo.mp4"
        self._lock = threading.Lock()
        self._box: tuple[float, ...] = ()

    def get(self) -> tuple[Path, tuple[float, ...]]:
        """(file, box x, y, w, h of the target in its first frame)."""
        with self._lock:
            if not self._path.is_file():  # not yet, or a cleaner of /tmp was here
                with VideoWriter(self._path, FPS) as writer:
                    for frame in render(DEMO_FRAMES):
                        self._box = self._box or tuple(frame.box.tolist())  # of the first
                        writer.write(frame.image)
            return self._path, self._box
