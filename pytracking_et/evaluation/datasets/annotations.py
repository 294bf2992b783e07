"""Annotation files as the benchmarks publish them: boxes, polygons, flags.

Numbers may be separated by commas, tabs, semicolons or spaces, mixed within one file; NaN in any
spelling is kept and means that the target is absent. Values are kept as stored (OTB is 1-based).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DatasetError

Boxes = NDArray[np.float64]

_TO_SPACE = str.maketrans(",;\t", "   ")


def read_boxes(path: str | Path) -> Boxes:
    """Read N x 4 float64 x, y, w, h; polygons (8 numbers, VOT) become their bounding box.

    Raises:
        DatasetError: file missing, empty, or a row that is neither 4 nor 8 numbers.
    """
    rows = read_table(path)
    if rows.shape[1] == 4:
        return rows
    if rows.shape[1] == 8:
        return polygon_boxes(rows)
    raise DatasetError(
        f"{path}: rows of {rows.shape[1]} numbers; expected 4 (x, y, w, h) or 8 (polygon)"
    )


def polygon_boxes(rows: Boxes) -> Boxes:
    """Bounding boxes N x 4 (x, y, w, h) of polygons N x 8 (x1, y1, .., x4, y4)."""
    corners = rows.reshape(len(rows), 4, 2)
    low = corners.min(axis=1)
    return np.hstack([low, corners.max(axis=1) - low])


def read_table(path: str | Path) -> NDArray[np.float64]:
    """Read rows of equally many numbers: N x M float64.

    Raises:
        DatasetError: file missing or empty; a row with a word, or with fewer or more numbers.
    """
    lines = read_text(path).translate(_TO_SPACE).rstrip().splitlines()
    rows = [line.split() for line in lines]
    width = len(rows[0]) if rows else 0
    if width and all(len(row) == width for row in rows):
        try:
            return np.array([float(word) for row in rows for word in row]).reshape(-1, width)
        except ValueError:
            pass  # the row to blame is looked for below
    raise _located(path, lines)


def _located(path: str | Path, lines: list[str]) -> DatasetError:
    """The error that names the first bad row."""
    if not lines:
        return DatasetError(f"{path} is empty; expected one row of numbers for each frame")
    width = len(lines[0].split())
    for number, line in enumerate(lines, start=1):
        words = line.split()
        try:
            [float(word) for word in words]
        except ValueError:
            return DatasetError(f"{path}, line {number}: {line.strip()!r} is not a row of numbers")
        if len(words) != width or not words:
            return DatasetError(
                f"{path}, line {number}: {len(words)} numbers ({line.strip()!r}) where line 1 has "
                f"{width}"
            )
    return DatasetError(f"{path} is not a table of numbers")


def read_flags(path: str | Path) -> NDArray[np.bool_]:
    """Read N booleans written as 0 and 1, in one line or in many (LaSOT's full_occlusion.txt)."""
    words = read_text(path).translate(_TO_SPACE).split()
    bad = next((word for word in words if word not in ("0", "1")), None)
    if bad is not None or not words:
        raise DatasetError(f"{path}: expected flags 0 or 1, found {bad or 'nothing'!r}")
    return np.array(words) == "1"


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
