"""Square crops around a target; used by the tracker and, for its labels, by the training.

See docs/method.md, section 6.1. Boxes are x, y, w, h in pixels, 0-based; centres are x, y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .image import Image

Point = Sequence[float] | NDArray[np.float64]


def round_half_away(value: float) -> int:
    """Round as Python 2 did, away from zero at .5; the published loop relies on it."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def context_side(width: float, height: float, context: float) -> float:
    """Side s_z, in frame pixels, of the square that the template shows around a w x h target."""
    margin = context * (width + height)
    return math.sqrt((width + margin) * (height + margin))


def search_side(template_side: float, template_size: int, search_size: int) -> float:
    """Side, in frame pixels, of the search region at the template's scale."""
    return template_side * (1 + (search_size - template_size) / template_size)


def mean_color(image: Image) -> Image:
    """Per-channel mean (3,) as uint8, which fills crops beyond the frame (truncated)."""
    return np.array(cv2.mean(image)[:3]).astype(np.uint8)


def crop_origin(center: Point, side: int) -> tuple[int, int]:
    """Left and top pixel of a crop of `side` pixels around `center` (x, y)."""
    half = (side + 1) / 2
    # Python's own rounding here, half to even: the published crop differs from its sizes in this.
    return round(center[0] - half), round(center[1] - half)


def crop(image: Image, center: Point, side: int, output: int, fill: Image) -> Image:
    """Cut a square and scale it.

    Args:
        image: (H, W, 3) uint8.
        center: x, y in pixels; may lie outside the image.
        side: of the square in frame pixels, at least 1.
        output: side of the result in pixels.
        fill: (3,) colour where the square leaves the frame.

    Returns:
        (output, output, 3) uint8, bilinear, contiguous.
    """
    height, width = image.shape[:2]
    left, top = crop_origin(center, side)
    x0, y0 = min(max(left, 0), width), min(max(top, 0), height)
    x1, y1 = max(min(left + side, width), x0), max(min(top + side, height), y0)
    if x1 == x0 or y1 == y0:
        return np.broadcast_to(fill, (output, output, 3)).copy()
    patch = image[y0:y1, x0:x1]
    if patch.shape[0] != side or patch.shape[1] != side:
        # Bordering the patch, not the frame, gives the same pixels for a fraction of the copying.
        padding = (y0 - top, top + side - y1, x0 - left, left + side - x1)
        color = [int(v) for v in fill]
        patch = np.asarray(
            cv2.copyMakeBorder(patch, *padding, cv2.BORDER_CONSTANT, value=color), np.uint8
        )
    if side == output:
        return np.ascontiguousarray(patch)
    return np.asarray(cv2.resize(patch, (output, output), interpolation=cv2.INTER_LINEAR), np.uint8)
