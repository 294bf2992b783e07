"""Boxes of one session: kept while tracking, written as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import threading
from typing import Any, NamedTuple

from ...boxes import Box
from ...version import __version__

CSV_HEADER = ("frame", "time", "x", "y", "w", "h", "score")
BOX_CONVENTION = "x, y, w, h in pixels, 0-based, x y is the top-left corner"


class Row(NamedTuple):
    """One tracked frame.

    frame is 0-based, time in seconds, the box x, y, w, h in pixels, score in 0..1; None where the
    user drew the box.
    """

    frame: int
    time: float
    x: float
    y: float
    w: float
    h: float
    score: float | None

    @classmethod
    def of(cls, frame: int, time: float, box: Box, score: float | None) -> Row:
        """Build from a box (4,); rounded to 1/1000 pixel, far below what a tracker resolves."""
        x, y, w, h = (round(float(value), 3) for value in box)
        return cls(frame, round(time, 4), x, y, w, h, None if score is None else round(score, 4))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, w, h)."""
        return self.x, self.y, self.w, self.h


class Rows:
    """The rows of a session by frame; filled by the tracking thread, read by the server's."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._lock = threading.Lock()
        self.version = 0

    def add(self, row: Row) -> None:
        """Keep the row of a frame; frames come in ascending order."""
        with self._lock:
            self._rows[row.frame] = row
            self.version += 1

    def cut(self, frame: int) -> None:
        """Forget `frame` and all later ones: the target is drawn anew there."""
        with self._lock:
            self._rows = {k: row for k, row in self._rows.items() if k < frame}
            self.version += 1

    def get(self, frame: int) -> Row | None:
        """The row of a frame, None where it was not tracked."""
        with self._lock:
            return self._rows.get(frame)

    def snapshot(self) -> list[Row]:
        """All rows in order of frames."""
        with self._lock:
            return list(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)


def to_csv(rows: list[Row]) -> str:
    """Rows as CSV with a header line; the score is empty where the user drew the box."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(rows)
    return stream.getvalue()


def to_json(rows: list[Row], source: dict[str, Any], tracker: str, low_score: float) -> str:
    """Rows with what is needed to read them later: source, tracker, convention, threshold."""
    return json.dumps(
        {
            "format": "pytracking-et boxes 1",
            "version": __version__,
            "tracker": tracker,
            "source": source,
            "convention": BOX_CONVENTION,
            "low_score": low_score,
            "boxes": [
                {"frame": row.frame, "time": row.time, "box": row.box, "score": row.score}
                for row in rows
            ],
        },
        indent=1,
    )
