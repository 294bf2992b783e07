"""Camera frames kept on disk while tracking, for the annotated video."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from ...frames import DEFAULT_FPS


class Entry(NamedTuple):
    """Where one JPEG lies in the file, and which frame it is."""

    offset: int
    length: int
    frame: int
    seconds: float


class Recording:
    """JPEG frames, appended to one file up to `limit` bytes.

    Not a video yet: the frame rate of a camera is known only afterwards, and JPEG bytes as they
    come cost no time while tracking.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        self._stream: IO[bytes] | None = None
        self._entries: list[Entry] = []
        self._size = 0
        self._full = False
        self._lock = threading.Lock()

    def append(self, frame: int, seconds: float, jpeg: bytes) -> bool:
        """Keep one frame; False once, when the limit is reached, True otherwise."""
        with self._lock:
            if self._full:
                return True
            if self._size + len(jpeg) > self.limit:
                self._full = True
                return False
            if self._stream is None:
                self._stream = self.path.open("wb", buffering=0)
            self._stream.write(jpeg)
            self._entries.append(Entry(self._size, len(jpeg), frame, seconds))
            self._size += len(jpeg)
            return True

    @property
    def fps(self) -> float:
        """Mean rate of the frames, 1 to 60; DEFAULT_FPS while there are fewer than two."""
        with self._lock:
            entries = list(self._entries)
        if len(entries) < 2 or entries[-1].seconds <= entries[0].seconds:
            return DEFAULT_FPS
        rate = (len(entries) - 1) / (entries[-1].seconds - entries[0].seconds)
        return min(max(rate, 1.0), 60.0)

    def __len__(self) -> int:
        return len(self._entries)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """(frame number, JPEG) of what is kept when iteration starts."""
        with self._lock:
            entries = list(self._entries)
        if not entries:
            return
        with self.path.open("rb") as stream:
            for entry in entries:
                stream.seek(entry.offset)
                yield entry.frame, stream.read(entry.length)

    def close(self) -> None:
        """Close the file; Windows cannot remove it before."""
        with self._lock:
            self._full = True
            if self._stream is not None:
                self._stream.close()
                self._stream = None
