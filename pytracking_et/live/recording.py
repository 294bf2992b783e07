"""Boxes of a live run: pytracking's `video_<stem>_<id>.txt` files and one readable table."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ..errors import ResultsError
from ..files import atomic_open
from ..results.files import Result, result_paths, save, unwritable
from .draw import Mark

HEADER = "frame,id,x,y,w,h,score\n"


@dataclass
class Recording:
    """Boxes of every target, frame by frame: on disk as they come, in their files by `save`.

    Until then they stand in `video_<stem>.unfinished.csv`, a line each (`Journal`); where a run
    was cut off by a power cut, this is what is left of it.

    Attributes:
        folder: results folder of the tracker, e.g. `<results_path>/et_tracker/et_tracker`.
        stem: name of the video without suffix, or "webcam".
        notify: prints one line to the user.
    """

    folder: Path
    stem: str
    frames: dict[int, list[int]] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    notify: Callable[[str], None] = lambda text: print(text, file=sys.stderr)

    def __post_init__(self) -> None:
        self._journal: Journal | None = None

    def add(self, frame: int, mark: Mark, seconds: float) -> None:
        """One target on one frame: its box and score, and the time all targets took."""
        result = self.results.setdefault(mark.id, Result([], [], []))
        self.frames.setdefault(mark.id, []).append(frame)
        result.boxes.append([float(value) for value in mark.box])
        result.times.append(seconds)
        result.scores.append(mark.score)
        if self._journal is None:
            self._journal = Journal(self.folder, f"video_{self.stem}.unfinished", self.notify)
            self._journal.write(HEADER)
        self._journal.write(_line(frame, mark.id, result.boxes[-1], mark.score))

    def save(self) -> list[Path]:
        """Write all files; returns them. Nothing is written when there was no target.

        `video_<stem>_<id>.txt`, `_float`, `_time` and `_object_presence_scores` are pytracking's
        and start at the frame where the target was drawn; `video_<stem>.csv` says which frame
        that is.

        Raises:
            ResultsError: the folder cannot be written.
        """
        if not self.results:
            return []
        written: list[Path] = []
        table = self.folder / f"video_{self.stem}.csv"
        try:
            for identity, result in self.results.items():
                name = f"video_{self.stem}_{identity}"
                save(self.folder, name, result)
                written.extend(result_paths(self.folder, name).values())
            with atomic_open(table) as stream:
                stream.write(self.table())
        except (OSError, ResultsError) as error:
            if self._journal is not None and self._journal.path.is_file():
                self.notify(f"the boxes are in {self._journal.path}")
            if isinstance(error, OSError):
                raise unwritable(self.folder, error) from error
            raise
        if self._journal is not None:
            self._journal.remove()
        return [*written, table]

    def table(self) -> str:
        """CSV: frame (from 0), id (from 1), x, y, w, h in pixels, score; by frame, then id."""
        rows = sorted(
            (frame, identity, box, score)
            for identity, result in self.results.items()
            for frame, box, score in zip(
                self.frames[identity], result.boxes, result.scores, strict=True
            )
        )
        return "".join([HEADER, *(_line(*row) for row in rows)])


def _line(frame: int, identity: int, box: Sequence[float], score: float) -> str:
    x, y, w, h = box
    return f"{frame},{identity},{x:.4f},{y:.4f},{w:.4f},{h:.4f},{score:.6f}\n"


class Journal:
    """Lines that are on the disk as soon as it has taken them, in a file beside earlier runs' ones.

    One that cannot be written is said once and given up.

    Args:
        folder: made if absent.
        stem: the file is `<stem>.csv`, or `<stem>-2.csv`, ... where that is there already.
        notify: prints one line to the user.
    """

    def __init__(self, folder: Path, stem: str, notify: Callable[[str], None]) -> None:
        self.path = folder / f"{stem}.csv"
        self._notify = notify
        self._stream: BinaryIO | None = None
        self._written = threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = self._open(stem)
        except OSError as error:
            self._give_up(error)
            return
        threading.Thread(target=self._sync, name="journal", daemon=True).start()

    def write(self, line: str) -> None:
        """Append a line; does not wait for the disk."""
        if self._stream is None:
            return
        data = line.encode()
        try:
            if self._stream.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._give_up(error)
        self._written.set()

    def remove(self) -> None:
        """Delete the file: its lines stand elsewhere now."""
        if self._stream is not None:
            self.close()
            with suppress(OSError):
                self.path.unlink()

    def close(self) -> None:
        """Write no more; the file stays."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            self._written.set()
            stream.close()

    def _open(self, stem: str) -> BinaryIO:
        for number in count(2):
            try:
                return self.path.open("xb", buffering=0)
            except FileExistsError:
                self.path = self.path.with_name(f"{stem}-{number}.csv")
        raise AssertionError

    def _sync(self) -> None:
        # In a thread: a slow card takes longer for this than a frame lasts.
        while (stream := self._stream) is not None:
            with suppress(OSError, ValueError):  # ValueError: closed meanwhile
                os.fsync(stream.fileno())
            self._written.wait()
            self._written.clear()

    def _give_up(self, error: OSError) -> None:
        self._notify(
            f"notice: {self.path} cannot be written ({error.strerror or error}); boxes are kept in "
            "memory until the end"
        )
        self.close()
