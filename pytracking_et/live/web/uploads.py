"""Uploaded videos: received to disk within the limits, or refused without a trace."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from ...errors import SourceError
from .limits import MEGABYTE
from .media import ACCEPTED, HEAD_BYTES, looks_like_video

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
    if not announced.isdecimal():
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


async def receive(request: Request, path: Path, limit: int) -> None:
    """Write the request's body to `path`, within `limit` bytes and only if it may be a video.

    Raises:
        RefusedError: empty, too large, or not a video by its first bytes.
        ClientDisconnect: the client went away (starlette); the caller removes what came.
    """
    check_announced_size(request, limit)
    size, head, checked = 0, b"", False
    with path.open("xb") as stream:
        async for chunk in request.stream():
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


async def discard_rest(request: Request, limit: int) -> None:
    """Read what the client still sends, up to `limit` bytes, and forget it."""
    size = 0
    with suppress(ClientDisconnect, RuntimeError):  # RuntimeError: it was read to the end before
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                return


def check_head(head: bytes) -> None:
    """Raise RefusedError unless these are the first bytes of a video file."""
    if not looks_like_video(head[:HEAD_BYTES]):
        raise RefusedError(f"the file is not a video; choose {ACCEPTED}", 415)
