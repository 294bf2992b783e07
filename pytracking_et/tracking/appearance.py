"""What a box shows, in colours: told from the search crop, so that every engine can have it.

The network's score says how much something is like the template; colours say how much it is like
what was followed lately. On frames with several peaks the two tell the target apart about equally
well (area under the ROC curve, WTRACK: score 0.85, colours 0.89; shared sequences 0.94 and 0.86),
and they err in different places.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .image import Image

# Cells of a histogram per axis of Lab, and bands from the top of the box to its bottom.
CELLS, BANDS = 6, 3
# Rims of a box, as shares of its width and height, that show what is behind.
RIM_X, RIM_Y = 0.15, 0.05
# Pixels looked at, rows and columns: whatever the box's size, so that large targets cost no more
# (shares differ by less than 0.005 from those of all pixels).
ROWS, COLUMNS = 36, 24
BINS = CELLS**3
# Side of a thumbnail in pixels.
LITTLE = 32
# Lab, each 0..255, to three parts of the number of a bin, which add up to it.
_PARTS = np.stack([np.arange(256) * CELLS // 256 * CELLS**k for k in (2, 1, 0)], -1)
_TABLE, _SUM = _PARTS[None].astype(np.uint8), np.ones((1, 3), np.float32)


def looks(crop: Image, boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Square roots (N, D) of colour shares, of unit length; zeros for a box outside the crop.

    Args:
        crop: (S', S', 3) uint8 RGB.
        boxes: (N, 4) x, y, w, h in pixels of the crop.
    """
    side, count = crop.shape[0], len(boxes)
    samples = np.zeros((count, ROWS, COLUMNS, 3), np.uint8)
    outside = []
    for row, (x, y, w, h) in enumerate(boxes.tolist()):
        left, right = _inside(x + RIM_X * w, side), _inside(x + w - RIM_X * w + 1, side)
        top, bottom = _inside(y + RIM_Y * h, side), _inside(y + h - RIM_Y * h + 1, side)
        if top < bottom < top + BANDS:  # of a flat box a row for every band
            bottom = min(top + BANDS, side)
            top = bottom - BANDS
        if right - left < 1 or bottom - top < BANDS:
            outside.append(row)
            continue
        part = crop[top:bottom, left:right]
        cv2.resize(part, (COLUMNS, ROWS), samples[row], interpolation=cv2.INTER_NEAREST)
    lab = cv2.cvtColor(samples.reshape(count * ROWS, COLUMNS, 3), cv2.COLOR_RGB2LAB)
    bins = cv2.transform(cv2.LUT(lab, _TABLE), _SUM).reshape(count * BANDS, -1)
    numbered = bins + np.arange(0, count * BANDS * BINS, BINS)[:, None]
    counts = np.bincount(numbered.reshape(-1), minlength=count * BANDS * BINS)
    found = np.sqrt(counts.reshape(count, -1) / (ROWS * COLUMNS)).astype(np.float32)
    found[outside] = 0
    return found


def thumbnail(crop: Image, box: NDArray[np.float64]) -> NDArray[np.float32]:
    """Grey values (D,) of a box, of mean 0 and unit length; the product of two correlates them.

    Args:
        crop: (S', S', 3) uint8 RGB; its rim goes on where the box leaves it.
        box: (4,) x, y, w, h in pixels of the crop.
    """
    x, y, w, h = (box / [1, 1, LITTLE, LITTLE]).tolist()
    back = np.array([[w, 0, x + w / 2], [0, h, y + h / 2]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(crop, back, (LITTLE, LITTLE), flags=how, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).reshape(-1).astype(np.float32)
    grey -= grey.mean()
    return grey / np.float32(max(float(np.sqrt(grey @ grey)), 1e-6))


def _inside(value: float, side: int) -> int:
    return int(min(max(value, 0), side))
