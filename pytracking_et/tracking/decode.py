"""Score and distance maps of a search crop to one box. See docs/method.md, section 6."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..network.constants import STRIDE
from .parameters import Parameters

# Keeps ratios finite where a cell predicts a box without width or height.
TINY = 1e-6

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Choice:
    """The cell chosen in a search crop.

    Attributes:
        offset: x, y from the crop's centre to the box's centre, in search pixels.
        size: predicted width and height in search pixels.
        score: of the cell, 0..1, before penalty and window.
        penalty: factor 0..1 of the cell for its change of size and shape.
        cell: row and column.
    """

    offset: NDArray[np.float64]
    size: NDArray[np.float64]
    score: float
    penalty: float
    cell: tuple[int, int]


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


def decode(
    score: Map,
    distances: Map,
    target: NDArray[np.float64],
    search_size: int,
    parameters: Parameters,
) -> Choice:
    """Choose the cell with the best penalised, windowed score.

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
    row, column = np.unravel_index(int(np.argmax(ranking)), ranking.shape)
    at = (int(row), int(column))
    middle = search_size // 2
    center = np.array([(x0[at] + x1[at]) / 2, (y0[at] + y1[at]) / 2])
    return Choice(
        center - middle,
        np.array([width[at], height[at]]),
        float(score[at]),
        float(penalty[at]),
        at,
    )
