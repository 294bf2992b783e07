"""Annotation files as the benchmarks publish them: boxes, polygons, and other text.

Tables of numbers are of the dialect of `boxtables`. Values are kept as stored (OTB is 1-based).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...boxtables import read_table
from ...errors import DatasetError

Boxes = NDArray[np.float64]


def read_boxes(path: str | Path) -> Boxes:
    """Read N x 4 float64 x, y, w, h; polygons (8 numbers, VOT) become their bounding box.

    Raises:
        DatasetError: file missing, empty, or a row that is neither 4 nor 8 numbers.
    """
    rows = read_table(path, (4, 8), DatasetError)
    return rows if rows.shape[1] == 4 else polygon_boxes(rows)


def polygon_boxes(rows: Boxes) -> Boxes:
    """Bounding boxes N x 4 (x, y, w, h) of polygons N x 8 (x1, y1, .., x4, y4)."""
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
