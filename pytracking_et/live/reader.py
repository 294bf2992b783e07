"""Read a source in its own thread: newest frame wins live, none dropped for files."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import cast

from ..errors import SourceError
from .sources import Frame, SeekableSource, Source

# Decoded ahead of the tracker for files: enough to hide a slow disk, 50 MB at 1080p.
FILE_QUEUE = 8
# Frames that stay for steps back: as many, and as many are decoded anew where those are used up.
BACK = 8
# A camera that says nothing this long is taken as unplugged (slowest usual cameras: 1 fps).
LIVE_TIMEOUT = 5.0


class Reader:
    """Frames of a source, read ahead in a thread.

        with Reader(open_source("0")) as reader:
            for frame in reader: ...

    Live sources: `read` gives the newest frame not yet given; older ones are dropped and counted
    in `dropped`. Other sources: every frame in order, and `seek` goes elsewhere. Errors of the
    source are raised by `read` in the caller's thread, after the frames that came before them.

    Args:
        back: frames already read that stay, for short ways back.
        patience: seconds that a live source may be silent; None: for ever.
    """

    def __init__(
        self, source: Source, back: int = 0, patience: float | None = LIVE_TIMEOUT
    ) -> None:
        self.source, self.live = source, source.live
        self.patience = patience if self.live else None
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._past: deque[Frame] = deque(maxlen=back)
        self._goal: int | None = None  # of a seek that the thread has not taken up
        self._first = 0  # frames before it are read for the way back only
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._asked: float | None = None  # since when the next frame is waited for
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

    def wait(self, seconds: float | None) -> bool:
        """Wait until `read` has an answer at once; False where it had none within `seconds`.

        Raises:
            SourceError: a live source has sent nothing for longer than `patience`.
        """
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
        with self._changed:
            if self._changed.wait_for(lambda: self._frames or self._ended or self._closed, seconds):
                self._asked = None
                return True
        if self.patience is not None and time.monotonic() - self._asked >= self.patience:
            raise SourceError(
                f"{self.source.name}: no frame for {self.patience:g} seconds; is the camera still "
                "connected?"
            )
        return False

    def read(self) -> Frame | None:
        """Next frame, or None at the end; waits for it, live as long as `patience`.

        Raises:
            SourceError: the source failed, or is silent.
        """
        self.wait(self.patience)
        with self._changed:
            if self._frames:
                frame = self._frames.popleft()
                self._past.append(frame)
                self._changed.notify_all()
                return frame
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def seek(self, frame: int) -> None:
        """Let `read` give this frame next (files), the last one where there are fewer.

        Frames near by are still there; else all up to it are decoded, unless another seek comes.
        """
        with self._changed:
            near = [*self._past, *self._frames]
            if self._goal is None and near and near[0].index <= frame <= near[-1].index:
                self._past.clear()
                self._past.extend(each for each in near if each.index < frame)
                self._frames = deque(each for each in near if each.index >= frame)
            else:
                self._goal = frame
                self._frames.clear()
                self._past.clear()
                self._ended = False
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            with self.source:
                while self._pass():
                    pass
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _pass(self) -> bool:
        """Read until the end or a seek; whether there is more to do."""
        for frame in self.source:
            if not self._hand_over(frame):
                break
        if not hasattr(self.source, "rewind"):
            return False
        source = cast(SeekableSource, self.source)
        with self._changed:
            if self._goal is None and not self._closed:
                if 0 < source.position <= self._first:  # sought beyond the end: the last one
                    self._goal = source.position - 1
                    self._past.clear()
                else:
                    self._ended = True
                    self._changed.notify_all()
                self._changed.wait_for(lambda: self._goal is not None or self._closed)
        while self._goal is not None and not self._closed:
            self._reach(source)
        return not self._closed

    def _reach(self, source: SeekableSource) -> None:
        """Go to where reading starts for the newest seek, or until another one comes."""
        with self._changed:
            goal, self._goal = self._goal, None
        assert goal is not None
        start = max(0, goal - (self._past.maxlen or 0))
        if start < source.position:
            source.rewind()
        while source.position < start and self._goal is None:
            if not source.skip():
                # Fewer frames than that: the last there is.
                goal = source.position - 1
                start = max(0, goal - (self._past.maxlen or 0))
                source.rewind()
        self._first = goal

    def _hand_over(self, frame: Frame) -> bool:
        with self._changed:
            if self.live:
                kept = [each for each in self._frames if each.keep]
                self.dropped += len(self._frames) - len(kept)
                self._frames = deque(kept)
            else:
                self._changed.wait_for(
                    lambda: len(self._frames) < FILE_QUEUE or self._closed or self._goal is not None
                )
            if self._closed or self._goal is not None:
                return False
            if frame.index < self._first and not self.live:
                self._past.append(frame)
                return True
            self._frames.append(frame)
            self._changed.notify_all()
            return True
