"""Boxes of a live run: in memory, in pytracking's `video_<stem>_<id>.txt` files and a table."""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ..errors import ResultsError
from ..files import atomic_open
from ..results.files import SUFFIXES, Result, result_paths, save, unwritable
from .draw import Mark

HEADER = "frame,id,x,y,w,h,score\n"


class Row(NamedTuple):
    """The box of one target on one frame.

    frame from 0, id from 1, box x, y, w, h in pixels, score in 0..1 (1 where the user drew it);
    seconds: what all targets took on this frame; size: width and height of the frame in pixels.
    """

    frame: int
    id: int
    box: tuple[float, float, float, float]
    score: float
    drawn: bool = False
    lost: bool = False
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)

    @property
    def mark(self) -> Mark:
        """For drawing."""
        return Mark(self.id, np.array(self.box), self.score, self.drawn, self.lost)


Tracks = dict[int, dict[int, Row]]  # rows by target and frame


class Rows:
    """Boxes of every target by frame; written by one thread, read by any.

    Attributes:
        version: changes with every change.
        edition: changes where rows were taken away or put back.
    """

    def __init__(self) -> None:
        self._tracks: Tracks = {}
        self._lock = threading.Lock()
        self.version = self.edition = 0

    def add(
        self, frame: int, mark: Mark, seconds: float = 0.0, size: tuple[int, int] = (0, 0)
    ) -> Row:
        """One target on one frame, see `Row`; replaces what was there."""
        x, y, w, h = (float(value) for value in mark.box)
        row = Row(frame, mark.id, (x, y, w, h), mark.score, mark.drawn, mark.lost, seconds, size)
        with self._lock:
            self._tracks.setdefault(mark.id, {})[frame] = row
            self.version += 1
        return row

    def get(self, target: int, frame: int) -> Row | None:
        """The row of a target on a frame."""
        with self._lock:
            return self._tracks.get(target, {}).get(frame)

    def at(self, frame: int) -> list[Row]:
        """Rows of a frame, by target."""
        with self._lock:
            return [
                self._tracks[k][frame] for k in sorted(self._tracks) if frame in self._tracks[k]
            ]

    def all(self) -> list[Row]:
        """Every row, by frame, then target."""
        with self._lock:
            return sorted(row for track in self._tracks.values() for row in track.values())

    def copy(self) -> Tracks:
        """All rows, for `restore`."""
        with self._lock:
            return {target: dict(track) for target, track in self._tracks.items()}

    def restore(self, tracks: Tracks) -> None:
        """Put an earlier `copy` back."""
        with self._lock:
            self._tracks = {target: dict(track) for target, track in tracks.items()}
            self.version += 1
            self.edition += 1

    def remove(self, target: int) -> None:
        """Forget a target's rows."""
        with self._lock:
            self._tracks.pop(target, None)
            self.version += 1
            self.edition += 1

    @property
    def last_id(self) -> int:
        """Highest number of a target, 0 without one."""
        with self._lock:
            return max(self._tracks, default=0)

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._tracks.values()))


class Recording(Rows):
    """Boxes of every target, frame by frame: on disk as they come, in their files by `save`.

    Until then they stand in `video_<stem>.unfinished.csv`, a line each (`Journal`); where a run
    was cut off by a power cut, this is what is left of it. Of a frame that was tracked again the
    last line counts.

    Args:
        folder: results folder of the tracker, e.g. `<results_path>/et_tracker/et_tracker`.
        stem: name of the video without suffix, or "webcam".
    """

    def __init__(self, folder: Path, stem: str) -> None:
        super().__init__()
        self.folder, self.stem = folder, stem
        self._journal: Journal | None = None

    def add(
        self, frame: int, mark: Mark, seconds: float = 0.0, size: tuple[int, int] = (0, 0)
    ) -> Row:
        """One target on one frame, see `Row`; a line of the journal."""
        row = super().add(frame, mark, seconds, size)
        if self._journal is None:
            self._journal = Journal(self.folder, f"video_{self.stem}.unfinished")
            self._journal.write(HEADER)
        self._journal.write(_line(row))
        return row

    def save(self) -> list[Path]:
        """Write all files; returns them. Nothing is written when there was no target.

        `video_<stem>_<id>.txt`, `_float`, `_time` and `_object_presence_scores` are pytracking's
        and start at the frame where the target was drawn; `video_<stem>.csv` says which frame
        that is: frame (from 0), id (from 1), x, y, w, h in pixels, score.

        Raises:
            ResultsError: the folder cannot be written.
        """
        rows = self.all()
        written: list[Path] = []
        table = self.folder / f"video_{self.stem}.csv"
        try:
            for identity in sorted({row.id for row in rows}):
                name = f"video_{self.stem}_{identity}"
                track = [row for row in rows if row.id == identity]
                boxes = [list(row.box) for row in track]
                times, scores = [row.seconds for row in track], [row.score for row in track]
                save(self.folder, name, Result(boxes, times, scores))
                written.extend(result_paths(self.folder, name).values())
            if rows:
                self._remove_others({row.id for row in rows})
                with atomic_open(table) as stream:
                    stream.writelines([HEADER, *map(_line, rows)])
                written.append(table)
        except (OSError, ResultsError) as error:
            if self._journal is not None and self._journal.path.is_file():
                print(f"the boxes are in {self._journal.path}", file=sys.stderr)
            if isinstance(error, OSError):
                raise unwritable(self.folder, error) from error
            raise
        if self._journal is not None:
            self._journal.remove()
        return written

    def _remove_others(self, targets: set[int]) -> None:
        """Files of targets that an earlier run of the video had and the new table has not."""
        kinds = "|".join(map(re.escape, SUFFIXES))
        name = re.compile(rf"video_{re.escape(self.stem)}_(\d+)(?:{kinds})")
        for path in self.folder.iterdir():
            match = name.fullmatch(path.name)
            if match is not None and int(match[1]) not in targets:
                path.unlink()


def _line(row: Row) -> str:
    x, y, w, h = row.box
    return f"{row.frame},{row.id},{x:.4f},{y:.4f},{w:.4f},{h:.4f},{row.score:.6f}\n"


class Journal:
    """Lines that are on the disk as soon as it has taken them, in a file beside earlier runs' ones.

    One that cannot be written is said once and given up.

    Args:
        folder: made if absent.
        stem: the file is `<stem>.csv`, or `<stem>-2.csv`, ... where that is there already.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self.path = folder / f"{stem}.csv"
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
        numbers = count(2)
        while True:
            try:
                return self.path.open("xb", buffering=0)
            except FileExistsError:
                self.path = self.path.with_name(f"{stem}-{next(numbers)}.csv")

    def _sync(self) -> None:
        # In a thread: a slow card takes longer for this than a frame lasts.
        while (stream := self._stream) is not None:
            with suppress(OSError, ValueError):  # ValueError: closed meanwhile
                os.fsync(stream.fileno())
            self._written.wait()
            self._written.clear()

    def _give_up(self, error: OSError) -> None:
        print(
            f"notice: {self.path} cannot be written ({error.strerror or error}); boxes are kept in "
            "memory until the end",
            file=sys.stderr,
        )
        self.close()
