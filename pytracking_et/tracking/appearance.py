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


def looks(crop: Image, boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Square roots (N, D) of colour shares, of unit length; zeros for a box outside the crop.

    Args:
        crop: (S', S', 3) uint8 RGB.
        boxes: (N, 4) x, y, w, h in pixels of the crop.
    """
    found = np.zeros((len(boxes), BANDS * CELLS**3), np.float32)
    side = crop.shape[0]
    for row, (x, y, w, h) in enumerate(boxes):
        low = np.clip([x + RIM_X * w, y + RIM_Y * h], 0, side).astype(int)
        high = np.clip([x + w - RIM_X * w + 1, y + h - RIM_Y * h + 1], 0, side).astype(int)
        if high[0] - low[0] < 1 or high[1] - low[1] < BANDS:
            continue
        lab = cv2.cvtColor(
            np.ascontiguousarray(crop[low[1] : high[1], low[0] : high[0]]), cv2.COLOR_RGB2LAB
        )
        edges = np.linspace(0, lab.shape[0], BANDS + 1).astype(int)
        for band, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
            part = lab[first:last]
            counts = cv2.calcHist([part], [0, 1, 2], None, [CELLS] * 3, [0, 256] * 3).reshape(-1)
            share = np.sqrt(counts / (BANDS * part.shape[0] * part.shape[1]))
            found[row, band * CELLS**3 : (band + 1) * CELLS**3] = share
    return found
