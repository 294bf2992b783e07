"""Score and distance maps of a search crop to one box. See docs/method.md, section 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import iou
from ..network.constants import STRIDE
from .parameters import Parameters

# Keeps ratios finite where a cell predicts a box without width or height.
TINY = 1e-6
# A local maximum below this share of the best score is no peak (0.3 or 0.4: the same boxes).
LEAST_SHARE = 0.3
# Of peaks whose boxes overlap by more, one stays: they are one object.
SAME_OBJECT = 0.5
# Peaks kept, best first.
MOST_PEAKS = 5

Map = NDArray[np.float32]


class Choice(NamedTuple):
    """The cell chosen in a search crop.

    Attributes:
        offset: x, y from the crop's centre to the box's centre, in search pixels.
        size: predicted width and height in search pixels.
        score: of the cell, 0..1, before penalty and window.
        penalty: factor 0..1 of the cell for its change of size and shape.
    """

    offset: NDArray[np.float64]
    size: NDArray[np.float64]
    score: float
    penalty: float


@lru_cache(maxsize=8)
def grid(cells: int, search_size: int) -> NDArray[np.float64]:
    """Crop coordinate (cells,) of each column or row of the maps."""
    points = (np.arange(cells, dtype=np.float64) - cells // 2) * STRIDE + search_size // 2
    points.flags.writeable = False
    return points


@lru_cache(maxsize=8)
def cosine_window(cells: int) -> NDArray[np.float64]:
    """Hann window (cells, cells) with its peak of one in the middle."""
    window = np.outer(np.hanning(cells), np.hanning(cells))
    window.flags.writeable = False
    return window


def _padded_size(width: NDArray | float, height: NDArray | float) -> NDArray:
    padding = (width + height) * 0.5
    return np.sqrt((width + padding) * (height + padding))


def _change(ratio: NDArray) -> NDArray:
    return np.maximum(ratio, 1 / ratio)


def penalties(
    width: NDArray, height: NDArray, target: NDArray[np.float64], penalty_k: float
) -> NDArray:
    """Factor 0..1 per cell, one where size and shape equal the target's.

    Args:
        width: predicted widths, (S, S), in search pixels.
        height: predicted heights, (S, S), in search pixels.
        target: width and height of the target in search pixels.
        penalty_k: strength.
    """
    size = _change(_padded_size(width, height) / _padded_size(target[0], target[1]))
    shape = _change((target[0] / target[1]) / (width / height))
    return np.exp(-(size * shape - 1) * penalty_k)


@dataclass(frozen=True)
class Cells:
    """Every cell of a search crop as a possible answer.

    Attributes:
        score: (S, S), 0..1.
        offset: (S, S, 2) x, y from the crop's centre to the middle of the cell's box, in search
            pixels.
        size: (S, S, 2) width and height of the box in search pixels.
        penalty: (S, S) factor 0..1 for the box's change of size and shape.
        ranking: (S, S) penalised, windowed score.
    """

    score: Map
    offset: NDArray[np.float64]
    size: NDArray[np.float64]
    penalty: NDArray[np.float64]
    ranking: NDArray[np.float64]

    def best(self) -> tuple[int, int]:
        """Row and column of the cell that ranks highest."""
        return divmod(int(self.ranking.argmax()), self.ranking.shape[1])

    def boxes(
        self, cells: Sequence[tuple[int, int]], middle: NDArray[np.float64], scale: float
    ) -> NDArray[np.float64]:
        """Boxes (N, 4) x, y, w, h of cells in pixels of the frame.

        Args:
            cells: row and column of each.
            middle: x, y of the crop's centre in the frame.
            scale: search pixels per frame pixel.
        """
        at = tuple(np.array(cells).T)
        size = self.size[at] / scale
        corner = middle + self.offset[at] / scale - size / 2
        return np.concatenate([corner, size], axis=1)

    def choice(self, cell: tuple[int, int]) -> Choice:
        """One cell."""
        score, penalty = float(self.score[cell]), float(self.penalty[cell])
        return Choice(self.offset[cell], self.size[cell], score, penalty)


def peaks(cells: Cells, best: tuple[int, int]) -> list[tuple[int, int]]:
    """One cell for each thing in the crop that looks like the target, best score first.

    Args:
        cells: of the crop.
        best: the cell that ranks highest; it stands for its object, though a neighbour may score
            more.
    """
    score = cells.score
    # Cells that none of their eight neighbours exceeds; OpenCV takes what lies outside for lower.
    maximal = score >= cv2.dilate(score, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(maximal & (score >= LEAST_SHARE * score.max()))
    order = np.argsort(-score[rows, columns], kind="stable")
    found = [best, *((int(rows[i]), int(columns[i])) for i in order)]
    if len(found) == 2 and found[1] == best:
        return [best]
    boxes = cells.boxes(found, np.zeros(2), 1.0)
    overlaps = iou(boxes[:, None], boxes[None])
    kept = [0]
    for row in range(1, len(found)):
        if len(kept) < MOST_PEAKS and not (overlaps[row, kept] > SAME_OBJECT).any():
            kept.append(row)
    return sorted((found[row] for row in kept), key=lambda cell: -score[cell])


def decode(
    score: Map,
    distances: Map,
    target: NDArray[np.float64],
    search_size: int,
    parameters: Parameters,
) -> Cells:
    """Boxes of all cells, and how the cells rank.

    Args:
        score: (S, S), 0..1.
        distances: (4, S, S) left, top, right, bottom in search pixels.
        target: width and height of the target in search pixels.
        search_size: side of the search crop.
        parameters: penalty and window.
    """
    points = grid(score.shape[-1], search_size)
    left, top, right, bottom = distances.astype(np.float64)
    x0, x1 = points[None, :] - left, points[None, :] + right
    y0, y1 = points[:, None] - top, points[:, None] + bottom
    width, height = np.maximum(x1 - x0, TINY), np.maximum(y1 - y0, TINY)
    penalty = penalties(width, height, target, parameters.penalty_k)
    influence = parameters.window_influence
    ranking = penalty * score * (1 - influence) + cosine_window(score.shape[-1]) * influence
    middle = search_size // 2
    offset = np.stack([(x0 + x1) / 2 - middle, (y0 + y1) / 2 - middle], axis=-1)
    return Cells(score, offset, np.stack([width, height], axis=-1), penalty, ranking)
