"""Videos to be tracked: uploaded within the limits or refused without a trace; the demo clip."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from ...errors import SourceError
from ..clip import FPS, render
from ..writer import VideoWriter
from .media import ACCEPTED, HEAD_BYTES, MEGABYTE, Limits, looks_like_video

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
    check_size(int(announced), limit)


def check_size(size: int, limit: int) -> None:
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
    check_announced_size(request, limit)
    size, head, checked = 0, b"", False
    with path.open("xb") as stream:
        async for chunk in _chunks(request, limits):
            size += len(chunk)
            if size > limit:
                check_size(size, limit)
            if not checked:
                head += chunk
                if len(head) >= HEAD_BYTES:
                    check_head(head)
                    checked = True
            await run_in_threadpool(stream.write, chunk)
    check_size(size, limit)
    if not checked:
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
            if not self._box:
                with VideoWriter(self._path, FPS) as writer:
                    frames = render(DEMO_FRAMES)
                    first = next(frames)
                    writer.write(first.image)
                    for frame in frames:
                        writer.write(frame.image)
                self._box = tuple(float(value) for value in first.box)
            return self._path, self._box
