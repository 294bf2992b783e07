"""Boxes of a live run: pytracking's `video_<stem>_<id>.txt` files and one readable table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..evaluation.results import Result, result_paths, save, unwritable
from ..files import atomic_open
from .draw import Mark


@dataclass
class Recording:
    """Boxes of every target, frame by frame, kept in memory until `save`.

    Attributes:
        folder: results folder of the tracker, e.g. `<results_path>/et_tracker/et_tracker`.
        stem: name of the video without suffix, or "webcam".
    """

    folder: Path
    stem: str
    frames: dict[int, list[int]] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)

    def add(self, frame: int, mark: Mark, seconds: float) -> None:
        """One target on one frame: its box and score, and the time all targets took."""
        result = self.results.setdefault(mark.id, Result([], [], []))
        self.frames.setdefault(mark.id, []).append(frame)
        result.boxes.append([float(value) for value in mark.box])
        result.times.append(seconds)
        result.scores.append(mark.score)

    def save(self) -> list[Path]:
        """Write all files; returns them. Nothing is written when there was no target.

        `video_<stem>_<id>.txt`, `_float`, `_time` and `_object_presence_scores` are pytracking's
        and start at the frame where the target was drawn; `video_<stem>.csv` says which frame
        that is.

        Raises:
            ResultsError: the folder cannot be written.
        """
        written: list[Path] = []
        for identity, result in self.results.items():
            name = f"video_{self.stem}_{identity}"
            save(self.folder, name, result)
            written.extend(result_paths(self.folder, name).values())
        if not self.results:
            return []
        table = self.folder / f"video_{self.stem}.csv"
        try:
            with atomic_open(table) as stream:
                stream.write(self.table())
        except OSError as error:
            raise unwritable(self.folder, error) from error
        return [*written, table]

    def table(self) -> str:
        """CSV: frame (from 0), id (from 1), x, y, w, h in pixels, score; by frame, then id."""
        rows = [
            (frame, identity, *box, score)
            for identity, result in self.results.items()
            for frame, box, score in zip(
                self.frames[identity], result.boxes, result.scores, strict=True
            )
        ]
        lines = [
            f"{frame},{identity},{x:.4f},{y:.4f},{w:.4f},{h:.4f},{score:.6f}\n"
            for frame, identity, x, y, w, h, score in sorted(rows)
        ]
        return "".join(["frame,id,x,y,w,h,score\n", *lines])
