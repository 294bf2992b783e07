"""Boxes: (x, y, w, h) in pixels, 0-based, float64; x, y is the top-left corner.

One convention everywhere; corners and centers exist only inside the functions that need them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import BoxError, PytrackingETError

Box = NDArray[np.float64]

# Sides of a target in sides of its image; beyond it, a crop around it is all filling, and huge.
LARGEST_SHARE = 4


class Prediction(NamedTuple):
    """What a tracker says of one frame: box (4,) x, y, w, h in pixels, score in 0..1."""

    box: Box
    score: float


def as_box(values: ArrayLike, image_shape: Sequence[int] | None = None) -> Box:
    """Check a target box and return it as float64 (4,).

    Args:
        values: x, y, w, h in pixels, 0-based.
        image_shape: (height, width, ...) of the frame; given, the box must overlap the frame and
            be neither below a pixel nor many times its size.

    Raises:
        BoxError: not four finite numbers, w or h not positive, or nothing in the image.
    """
    try:
        box = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError) as error:
        raise BoxError(f"box {values!r} is not four numbers x, y, w, h") from error
    if box.shape != (4,):
        raise BoxError(f"box {values!r} has {box.size} numbers; give four: x, y, w, h in pixels")
    if not np.isfinite(box).all():
        raise BoxError(f"box {box.tolist()} holds NaN or infinity; give four finite numbers")
    x, y, w, h = box
    if w <= 0 or h <= 0:
        raise BoxError(f"box {box.tolist()} has no area; width and height must be positive")
    if image_shape is not None:
        _check_inside(box, image_shape[0], image_shape[1])
    return box


def _check_inside(box: Box, height: int, width: int) -> None:
    x, y, w, h = box
    if max(w, h) < 1:
        raise BoxError(
            f"box {box.tolist()} is smaller than a pixel of the image of {width}x{height} pixels; "
            "were these shares of the image? Give x, y, w, h in pixels"
        )
    if w > LARGEST_SHARE * width or h > LARGEST_SHARE * height:
        raise BoxError(
            f"box {box.tolist()} is more than {LARGEST_SHARE} times as large as the image of "
            f"{width}x{height} pixels; give x, y, w, h in its pixels"
        )
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise BoxError(
            f"box {box.tolist()} lies outside the image of {width}x{height} pixels "
            "(x, y, w, h; 0-based)"
        )


def as_rows(values: ArrayLike, what: str, error: type[PytrackingETError]) -> NDArray[np.float64]:
    """Boxes (N, 4) as float64; a single one may come without its brackets.

    Args:
        values: x, y, w, h in pixels; any numbers, NaN too.
        what: how messages call them, e.g. "ground truth".

    Raises:
        error: not numbers, or of another shape.
    """
    try:
        rows = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as reason:
        raise error(f"{what} has other things than numbers: {reason}") from reason
    if rows.shape == (4,):
        rows = rows.reshape(1, 4)
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise error(f"{what} has shape {rows.shape}; expected (frames, 4): x, y, w, h")
    return rows


def unusable(boxes: ArrayLike) -> NDArray[np.bool_]:
    """Which of the boxes (N, 4) no result may hold: NaN, infinite, or of negative size.

    The runner fails a sequence on them and the analysis refuses them, so that what one calls done
    the other can score. A size of 0 is a tracker's "not found".
    """
    rows = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.asarray(~np.isfinite(rows).all(axis=1) | (rows[:, 2:] < 0).any(axis=1), bool)


def iou(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of boxes (..., 4), broadcast; 0 where a box has no area."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.maximum(high - low, 0).prod(-1)
    union = np.maximum(a[..., 2:], 0).prod(-1) + np.maximum(b[..., 2:], 0).prod(-1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
