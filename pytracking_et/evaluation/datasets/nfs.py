"""Need for Speed as its authors publish it: frames at 30 fps, annotation at 240 Hz as corners.

Kiani Galoogahi et al., "Need for Speed: A Benchmark for Higher Frame Rate Object Tracking",
ICCV 2017. SEQ/30/SEQ/00001.jpg and SEQ/30/SEQ.txt, whose lines are
`id x1 y1 x2 y2 frame lost occluded generated "class"`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DatasetError
from ..sequence import Listing, Sequence, SequenceList
from .ondisk import Boxes, ListedFrames, _Frames, read_text
from .spec import Spec

# 240 Hz annotation over 30 fps frames.
EVERY = 8


def official_folders(root: Path) -> dict[str, str]:
    """Names of the folders that have the official form SEQ/30, by their comparable name."""
    names = sorted(item.name for item in root.iterdir() if (item / "30").is_dir())
    return {_comparable(name): name for name in names}


def _comparable(name: str) -> str:
    # The repack writes "-" and blanks of the official names as "_".
    return name.lower().replace("-", "_").replace(" ", "_")


def official(folders: dict[str, str], root: Path, spec: Spec) -> SequenceList:
    """The 100 sequences of the table out of the official folders."""
    found = []
    for row in spec.rows():
        plain = row["name"].removeprefix("nfs_")
        name = folders.get(_comparable(plain), plain)
        images = str(root / name / "30" / name)
        boxes = OfficialBoxes(str(root / name / "30" / f"{name}.txt"), images)
        frames = OfficialFrames(boxes)
        kind = row.get("object_class")
        found.append(Sequence(row["name"], frames, spec.name, boxes, object_class=kind))
    return SequenceList(found)


@dataclass(frozen=True)
class OfficialBoxes:
    """Ground truth N x 4 (x, y, w, h) of one official annotation file, at 30 fps."""

    path: str
    images: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that must exist."""
        return (self.path,)

    def __call__(self) -> Boxes:
        """Read them; a last row without a frame is dropped."""
        boxes = read_official(self.path)
        return boxes[: paired_length(self.path, len(boxes), len(ListedFrames((self.images,))))]


@dataclass
class OfficialFrames(_Frames):
    """Frames of an official folder, without a last one that has no annotation."""

    boxes: OfficialBoxes
    _paths: list[str] | None = field(default=None, repr=False, compare=False)

    def _find(self) -> list[str]:
        images = ListedFrames((self.boxes.images,)).paths()
        rows = len(read_official(self.boxes.path))
        return images[: paired_length(self.boxes.path, rows, len(images))]

    def missing(self, listing: Listing) -> list[str]:
        """The image folder, where it is missing or empty."""
        return ListedFrames((self.boxes.images,)).missing(listing)


def paired_length(path: str, rows: int, frames: int) -> int:
    """Length both share: recordings end between two 30 fps frames, so they may differ by one.

    Raises:
        DatasetError: they differ by more.
    """
    if abs(rows - frames) > 1:
        raise DatasetError(f"{path}: every 8th row gives {rows} boxes for {frames} frames")
    return min(rows, frames)


def read_official(path: str) -> Boxes:
    """Every 8th line of an official file, corners turned into x, y, w, h.

    Raises:
        DatasetError: missing file, or a line without five numbers at its start.
    """
    lines = read_text(path).rstrip().splitlines()
    if not lines:
        raise DatasetError(f"{path} is empty")
    blank = next((number for number, line in enumerate(lines, 1) if not line.strip()), None)
    if blank is not None:
        # All later rows would move up, and be of other frames.
        raise DatasetError(f"{path}, line {blank} is blank; a line is a frame of the 240 Hz video")
    lines = lines[::EVERY]
    rows = []
    for number, line in enumerate(lines):
        words = line.replace(",", " ").replace('"', " ").split()
        try:
            rows.append([float(word) for word in words[1:5]])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != 4:
            raise DatasetError(
                f"{path}, line {number * EVERY + 1}: {line.strip()!r} does not start with "
                "id x1 y1 x2 y2"
            )
    corners = np.array(rows, dtype=np.float64)
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
