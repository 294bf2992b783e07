"""Read a source in its own thread: newest frame wins live, none dropped for files."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

from ..errors import SourceError
from .sources import Frame, Source

# Decoded ahead of the tracker for files: enough to hide a slow disk, 50 MB at 1080p.
FILE_QUEUE = 8
# A camera that says nothing this long is taken as unplugged (slowest usual cameras: 1 fps).
LIVE_TIMEOUT = 5.0


class Reader:
    """Frames of a source, read ahead in a thread.

        with Reader(open_source("0")) as reader:
            for frame in reader: ...

    Live sources: `read` gives the newest frame not yet given; older ones are dropped and counted
    in `dropped`. Other sources: every frame in order. Errors of the source are raised by `read`
    in the caller's thread, after the frames that came before them.
    """

    def __init__(self, source: Source, live: bool | None = None) -> None:
        self.source = source
        self.live = source.live if live is None else live
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._closed = True
            self._frames.clear()
            self._changed.notify_all()
        # A camera driver can hang inside its read; the thread is a daemon, so it may be left.
        self._thread.join(timeout=2.0)

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self.read()) is not None:
            yield frame

    def read(self, timeout: float | None = None) -> Frame | None:
        """Next frame, or None at the end.

        Args:
            timeout: seconds to wait; default: 5 for live sources, for files without limit.

        Raises:
            SourceError: the source failed, or (live) sent nothing for `timeout` seconds.
        """
        if timeout is None and self.live:
            timeout = LIVE_TIMEOUT
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ended or self._closed, timeout)
            if self._frames:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._ended or self._closed:
                return None
        raise SourceError(
            f"{self.source.name}: no frame for {timeout:g} seconds; is the camera still connected?"
        )

    @property
    def waiting(self) -> bool:
        """True when a frame can be had at once."""
        return bool(self._frames)

    def _run(self) -> None:
        try:
            with self.source:
                for frame in self.source:
                    if not self._hand_over(frame):
                        return
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hand_over(self, frame: Frame) -> bool:
        with self._changed:
            if self.live:
                self.dropped += len(self._frames)
                self._frames.clear()
            else:
                self._changed.wait_for(lambda: len(self._frames) < FILE_QUEUE or self._closed)
            if self._closed:
                return False
            self._frames.append(frame)
            self._changed.notify_all()
            return True


class Pace:
    """Hold a loop to at most `fps` rounds a second (files shown in a window)."""

    def __init__(self, fps: float | None) -> None:
        self.period = 1.0 / fps if fps else 0.0
        self._next = time.monotonic()

    def remaining(self) -> float:
        """Seconds until the next round is due; 0 when late."""
        return max(0.0, self._next - time.monotonic())

    def done(self) -> None:
        """One round has been shown; a late loop does not try to catch up."""
        self._next = max(self._next + self.period, time.monotonic())
