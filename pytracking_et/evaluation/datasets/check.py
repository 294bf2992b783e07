"""Is a data set complete? Counts, and everything that is missing, mismatched or unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import DatasetError, ImageError
from ...frames import read_image, read_size
from ..sequence import Listing, Sequence, absent, cached_listing

MISSING, MISMATCHED, UNREADABLE = "missing", "mismatched", "unreadable"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a sequence; `kind` is missing, mismatched or unreadable."""

    sequence: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.sequence}: {self.kind}: {self.text}"


@dataclass
class Report:
    """What a check found.

    Args:
        sequences: how many were looked at.
        frames: how many there are on disk of those that the sequences name.
        absent: frames whose target is annotated as absent (NaN, no size, or flagged invisible).
        problems: in the order of the sequences.
    """

    sequences: int = 0
    frames: int = 0
    absent: int = 0
    problems: list[Problem] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """Problems of a kind."""
        return sum(problem.kind == kind for problem in self.problems)


def check(
    sequences: Iterable[Sequence],
    deep: bool = False,
    progress: Callable[[Sequence], None] = lambda sequence: None,
) -> Report:
    """Look at every file of the sequences.

    Args:
        deep: decode every image; otherwise the first of a sequence, and the headers of all.
        progress: called after each sequence.
    """
    report, look = Report(), cached_listing()
    for sequence in sequences:
        report.sequences += 1
        for kind, text in _problems(sequence, report, deep, look):
            report.problems.append(Problem(sequence.name, kind, text))
        progress(sequence)
    return report


def _problems(
    sequence: Sequence, report: Report, deep: bool, look: Listing
) -> Iterable[tuple[str, str]]:
    try:
        missing = sequence.missing_files(look)
    except DatasetError as error:
        yield UNREADABLE, str(error)
        return
    yield from ((MISSING, path) for path in missing)
    try:
        paths = list(sequence.frames)
    except DatasetError as error:
        if not missing:
            yield MISMATCHED, str(error)
        paths = []
    gone = set(absent(paths, look))
    there = [path for path in paths if path not in gone]
    report.frames += len(there)
    # Files that are missing have been named; reading them would say it a second time.
    if not any(source in missing for source in sequence.sources):
        named = bool(paths and missing) and missing == sequence.skipped_frames()
        yield from _annotation_problems(sequence, 0 if named else len(paths), report)
    yield from _image_problems(there, deep)


def _annotation_problems(
    sequence: Sequence, frames: int, report: Report
) -> Iterable[tuple[str, str]]:
    try:
        boxes, visible = sequence.ground_truth_rect, sequence.target_visible
    except DatasetError as error:
        yield UNREADABLE, str(error)
        return
    tables = boxes if isinstance(boxes, Mapping) else {None: boxes}
    where = sequence.sources[0] if sequence.sources else "ground truth"
    for rows in tables.values():
        # One row: a benchmark that keeps the rest for its server.
        if frames and len(rows) not in (1, frames):
            yield MISMATCHED, f"{len(rows)} rows in {where} for {frames} frames"
        if not np.isfinite(rows[0]).all() or (rows[0, 2:] <= 0).any():
            yield MISMATCHED, f"the first box {rows[0].tolist()} in {where} cannot be tracked"
    if visible is not None and len(visible) not in {len(rows) for rows in tables.values()}:
        flags = " and ".join(sequence.sources[1:])
        yield MISMATCHED, f"{len(visible)} flags in {flags} for {len(next(iter(tables.values())))}"
    elif len(tables) == 1:
        report.absent += int((~sequence.present).sum())


def _image_problems(paths: Iterable[str], deep: bool) -> Iterable[tuple[str, str]]:
    """Images that cannot be read, and where their size changes within the sequence."""
    before: tuple[str, int, int] | None = None
    for path in paths:
        try:
            if deep or before is None:
                height, width = read_image(path).shape[:2]
            else:
                width, height = read_size(path)
        except ImageError as error:
            yield UNREADABLE, str(error)
            continue
        if before is not None and before[1:] != (width, height):
            yield (
                MISMATCHED,
                f"frame {path} has {width}x{height} pixels, those from {before[0]} on "
                f"{before[1]}x{before[2]}; boxes are of the frame they belong to",
            )
        if before is None or before[1:] != (width, height):
            before = path, width, height
