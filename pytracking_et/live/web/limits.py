"""The bounds the web server keeps to, in one place so that the page can show them."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one server accepts before it refuses, and how long it keeps what it took.

    Attributes:
        upload_bytes: largest video, and largest camera recording kept for the annotated video.
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
    frame_bytes: int = 4 * MEGABYTE
    sessions: int = 10
    idle_seconds: float = 300.0
    leave_seconds: float = 30.0
    min_side: int = 32
    max_pixels: int = 4096 * 4096
    preview_side: int = 960
