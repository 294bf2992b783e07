"""Where to look for a lost target: a grid over the whole frame at several sizes, in small portions.

A portion a frame bounds what a lost target costs. The order is from near to far, first at the size
the target had when it was last seen, then larger, then smaller; at the end it begins again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..boxes import Box

# Places searched in one frame: that many more answers of the network, and one to check the best.
PLACES = 3
# Sizes relative to the last one. The network finds what is 0.7 to 1.4 times as large as expected.
SIZES = (1.0, 1.6, 0.6)
# Distance between places in sides of the search region.
STEP = 0.6

Place = tuple[NDArray[np.float64], float]


class Search:
    """The places that are still to be searched."""

    def __init__(self) -> None:
        self._left: list[Place] = []

    def next(self, shape: tuple[int, ...], box: Box, region: float) -> list[Place]:
        """The next places: centre x, y in pixels, and size relative to the last one.

        Args:
            shape: (height, width, ...) of the frame.
            box: x, y, w, h where the target was last believed to be.
            region: side of the search region in pixels of the frame, at size 1.
        """
        if not self._left:
            self._left = [
                (center, factor)
                for factor in SIZES
                for center in grid(shape, box, STEP * factor * region)
            ]
        now, self._left = self._left[:PLACES], self._left[PLACES:]
        return now

    def clear(self) -> None:
        """Begin anew next time: the target was seen."""
        self._left = []


def grid(shape: tuple[int, ...], box: Box, step: float) -> list[NDArray[np.float64]]:
    """Centres (x, y) of cells of at most `step` pixels over the frame, nearest to `box` first."""
    height, width = shape[:2]
    step = max(16.0, step)
    columns = np.linspace(0, width, max(2, int(np.ceil(width / step)) + 1))
    rows = np.linspace(0, height, max(2, int(np.ceil(height / step)) + 1))
    # Cell centres: the frame's border itself is half outside the picture.
    centers = np.array(
        [(x, y) for y in (rows[:-1] + rows[1:]) / 2 for x in (columns[:-1] + columns[1:]) / 2]
    )
    order = np.argsort(((centers - (box[:2] + box[2:] / 2)) ** 2).sum(axis=1), kind="stable")
    return [centers[index] for index in order]
