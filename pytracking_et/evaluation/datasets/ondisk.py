"""Lazy halves of a sequence: frame lists and ground truth that know their files but open none.

All are small, hold only text and numbers, and can be sent to other processes.

Need for Speed as its authors publish it (Kiani Galoogahi et al., "Need for Speed: A Benchmark for
Higher Frame Rate Object Tracking", ICCV 2017) has frames at 30 fps and annotation at 240 Hz as
corners: SEQ/30/SEQ/00001.jpg and SEQ/30/SEQ.txt, whose lines are
`id x1 y1 x2 y2 frame lost occluded generated "class"`.
"""

from __future__ import annotations

import collections.abc
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ...boxtables import read_table, read_visible
from ...errors import DatasetError
from ...files import IMAGE_SUFFIXES, is_image, natural_key
from ..sequence import Boxes, Listing, absent, cached_listing

# 240 Hz annotation over 30 fps frames.
EVERY = 8


def read_boxes(path: str | Path) -> Boxes:
    """Read N x 4 float64 x, y, w, h; polygons (8 numbers, VOT) become their bounding box.

    Values are kept as stored (OTB is 1-based).

    Raises:
        DatasetError: file missing, empty, or a row that is neither 4 nor 8 numbers.
    """
    rows = read_table(path, (4, 8), DatasetError)
    if rows.shape[1] == 4:
        return rows
    corners = rows.reshape(len(rows), 4, 2)
    low = corners.min(axis=1)
    return np.hstack([low, corners.max(axis=1) - low])


def read_text(path: str | Path) -> str:
    """Text of an annotation file; a byte order mark is dropped.

    Raises:
        DatasetError: the file is missing, unreadable, or not text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DatasetError(f"annotation file '{path}' does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the name
        raise DatasetError(f"annotation file '{path}' cannot be read: {error}") from error


class _Frames(collections.abc.Sequence[str]):
    """Frames whose number or place is looked up on first use, and not kept when pickled."""

    _paths: list[str] | None

    def _find(self) -> list[str]:
        raise NotImplementedError

    def paths(self) -> list[str]:
        """All paths, first to last."""
        if self._paths is None:
            self._paths = self._find()
        return self._paths

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_paths": None}

    def __len__(self) -> int:
        return len(self.paths())

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self.paths()[index]


@dataclass
class NumberedFrames(_Frames):
    """Frames first .. last of a folder, e.g. 0001.jpg .. 0725.jpg.

    Copies of a data set differ in the extension, its case, and, for OTB's KiteSurf, in the folder:
    the first frame says which variant it is.
    """

    folder: str
    first: int
    last: int
    digits: int
    extension: str
    _paths: list[str] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def path(self, number: int) -> str:
        """Path of the frame with this number."""
        return os.path.join(self.folder, f"{number:0{self.digits}d}.{self.extension}")

    def _find(self) -> list[str]:
        here, names = self._variant()
        found = []
        for number in range(self.first, self.last + 1):
            folder, name = os.path.split(here.path(number))
            found.append(os.path.join(folder, names.get(name.lower(), name)))
        return found

    def _variant(self) -> tuple[NumberedFrames, dict[str, str]]:
        """The variant whose first frame is there, with the folder's names by their lower case."""
        folders = (self.folder, os.path.join(os.path.dirname(self.folder), "img"))
        for folder in dict.fromkeys(folders):
            # "0001.JPG" sorts before "0001.jpg", which so is kept where there are both.
            names = {name.lower(): name for name in sorted(cached_listing()(folder))}
            for suffix in dict.fromkeys((f".{self.extension.lower()}", *IMAGE_SUFFIXES)):
                there = replace(self, folder=folder, extension=suffix[1:])
                if os.path.basename(there.path(self.first)) in names:
                    return there, names
        return self, {}

    def missing(self, listing: Listing) -> list[str]:
        """Missing frames; neighbors share a line: a whole folder gone is one line."""
        paths = self.paths()
        return _in_runs(paths, set(absent(paths, listing)))


def _in_runs(paths: list[str], gone: set[str]) -> list[str]:
    """Those of the paths that are gone; neighbors share a line."""
    lines = []
    for is_gone, run in itertools.groupby(paths, gone.__contains__):
        if is_gone:
            first, *rest = run
            until = f" .. {os.path.basename(rest[-1])} ({len(rest) + 1} frames)" if rest else ""
            lines.append(first + until)
    return lines


@dataclass
class ListedFrames(_Frames):
    """All images of a folder, ordered by the number in the name; the first folder that exists."""

    folders: tuple[str, ...]
    _paths: list[str] | None = field(default=None, repr=False, compare=False)

    def _find(self) -> list[str]:
        for folder in self.folders:
            if not os.path.isdir(folder):
                continue
            try:
                names = [name for name in os.listdir(folder) if is_image(name)]
            except OSError as error:
                raise DatasetError(f"folder '{folder}' cannot be read: {error}") from error
            if names:
                return [os.path.join(folder, name) for name in sorted(names, key=natural_key)]
        raise DatasetError(f"no images in {' or '.join(self.folders)}")

    def missing(self, listing: Listing) -> list[str]:
        """The folder where it holds no image, otherwise nothing: the list is what is there."""
        if any(is_image(name) for folder in self.folders for name in listing(folder)):
            return []
        return [f"{' or '.join(self.folders)} (no images)"]

    def skipped(self, rows: Callable[[], int]) -> list[str]:
        """Frames that the numbers of the others leave out, where the annotation has rows for them.

        Numbers alone say little: a copy may have every fifth frame, and its rows too.

        Args:
            rows: gives how many there are; called where numbers are left out.
        """
        paths = self.paths()
        named = [re.fullmatch(r"(.*?)([0-9]+)(\.\w+)", os.path.basename(path)) for path in paths]
        matches = [match for match in named if match is not None]
        if len(matches) < len(paths) or len({match[1] for match in matches}) > 1:
            return []
        numbers = {int(match[2]): path for match, path in zip(matches, paths, strict=True)}
        last = max(numbers)
        # Counted from 1, or from the first there is, as in parts of a video.
        counts = {n: last - n + 1 - len(paths) for n in (min(1, *numbers), min(numbers))}
        if not any(counts.values()):
            return []
        lacking = rows() - len(paths)
        start = next((n for n, count in counts.items() if 0 < count <= lacking), None)
        if start is None:
            return []
        folder, (prefix, digits, suffix) = os.path.dirname(paths[0]), matches[0].groups()
        width = len(digits)
        every = [
            numbers.get(n, os.path.join(folder, f"{prefix}{n:0{width}d}{suffix}"))
            for n in range(start, last + 1)
        ]
        return _in_runs(every, set(every) - set(paths))


@dataclass(frozen=True)
class _OneFile:
    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that must exist."""
        return (self.path,)


@dataclass(frozen=True)
class BoxFile(_OneFile):
    """Ground truth of one file; calling it reads N x 4, without the first `omit` rows."""

    omit: int = 0

    def __call__(self) -> Boxes:
        """Read the file."""
        boxes = read_boxes(self.path)[self.omit :]
        if not len(boxes):
            raise DatasetError(f"{self.path} has no rows after the first {self.omit}")
        return boxes


@dataclass(frozen=True)
class VisibleFlags:
    """target_visible from files of flags, each 1 where the target is hidden (LaSOT)."""

    paths: tuple[str, ...]

    def __call__(self) -> NDArray[np.bool_]:
        """Read the files."""
        return read_visible(self.paths, DatasetError)


@dataclass(frozen=True)
class CoverLabels:
    """target_visible from GOT-10k's cover.label: 0 (nothing to be seen) to 8 (all) a frame.

    Tracking needs no such file, and partial copies lack it: None where it is absent.
    """

    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The file where it exists."""
        return (self.path,) if os.path.isfile(self.path) else ()

    def __call__(self) -> NDArray[np.bool_] | None:
        """Read the file."""
        return read_table(self.path, None, DatasetError).reshape(-1) > 0 if self.paths else None


@dataclass(frozen=True)
class OfficialBoxes(_OneFile):
    """Ground truth N x 4 (x, y, w, h) of one official annotation file, at 30 fps."""

    images: str

    def __call__(self) -> Boxes:
        """Read them; a last row without a frame is dropped."""
        return self.paired()[0]

    def paired(self) -> tuple[Boxes, list[str]]:
        """Boxes and frames, of one length.

        Recordings end between two 30 fps frames, so the files may differ by one.

        Raises:
            DatasetError: they differ by more.
        """
        boxes, frames = read_official(self.path), ListedFrames((self.images,)).paths()
        if abs(len(boxes) - len(frames)) > 1:
            raise DatasetError(
                f"{self.path}: every 8th row gives {len(boxes)} boxes for {len(frames)} frames"
            )
        both = min(len(boxes), len(frames))
        return boxes[:both], frames[:both]


@dataclass
class OfficialFrames(_Frames):
    """Frames of an official folder, without a last one that has no annotation."""

    boxes: OfficialBoxes
    _paths: list[str] | None = field(default=None, repr=False, compare=False)

    def _find(self) -> list[str]:
        return self.boxes.paired()[1]

    def missing(self, listing: Listing) -> list[str]:
        """The image folder, where it is missing or empty."""
        return ListedFrames((self.boxes.images,)).missing(listing)


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
