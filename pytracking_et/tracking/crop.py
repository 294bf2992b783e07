"""Square crops around a target.

See docs/method.md, section 6.1. Boxes are x, y, w, h in pixels, 0-based; centres are x, y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .image import Image

# Times the longer side of the frame. A target as large as a square frame needs 4.54 for its search
# region; a given box can be larger, and would take gigabytes of border.
LARGEST_CROP = 5

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
    if side > LARGEST_CROP * max(width, height):
        return _sampled(image, (left, top), side, output, fill)
    patch = image[y0:y1, x0:x1]
    if patch.shape[0] != side or patch.shape[1] != side:
        # Bordering the patch, not the frame, gives the same pixels for a fraction of the copying.
        padding = (y0 - top, top + side - y1, x0 - left, left + side - x1)
        color = [int(v) for v in fill]
        patch = np.asarray(
            cv2.copyMakeBorder(patch, *padding, cv2.BORDER_CONSTANT, value=color), np.uint8
        )
    if side == output:
        return patch.copy()  # a part of the frame, whose memory its reader may use again
    return np.asarray(cv2.resize(patch, (output, output), interpolation=cv2.INTER_LINEAR), np.uint8)


def _sampled(image: Image, origin: tuple[int, int], side: int, output: int, fill: Image) -> Image:
    """The same crop from the pixels alone that it shows, equal but for the rounding."""
    places = (np.arange(output) + 0.5) * (side / output) - 0.5

    def neighbours(start: int, length: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Of each place the pixel before and after it, (2, output), and which lie in the frame."""
        found = start + np.floor(places).astype(np.intp) + np.array([[0], [1]])
        return np.clip(found, 0, length - 1), (found >= 0) & (found < length)

    (columns, in_width), (rows, in_height) = (
        neighbours(start, length) for start, length in zip(origin, image.shape[1::-1], strict=True)
    )
    part = places - np.floor(places)
    weights = np.stack([1 - part, part])
    result = np.zeros((output, output, 3))
    for y in (0, 1):
        for x in (0, 1):
            inside = in_height[y][:, None, None] & in_width[x][:, None]
            pixels = np.where(inside, image[rows[y]][:, columns[x]], fill)
            result += pixels * weights[y][:, None, None] * weights[x][:, None]
    return np.rint(result).astype(np.uint8)
