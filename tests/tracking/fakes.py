"""An engine that finds a bright square, so that the loop can be tested without a network."""

from __future__ import annotations

import numpy as np


class BrightSpotEngine:
    """Scores the cell nearest the centroid of bright pixels; box of the size it measures."""

    name = "bright spot"

    def __init__(self, score: float = 0.95) -> None:
        self.score = score
        self.templates: list[np.ndarray] = []

    def template(self, image: np.ndarray) -> None:
        self.templates.append(image)

    def track(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells = image.shape[0] // 16
        rows, columns = np.nonzero(image[..., 0] > 200)
        score = np.full((cells, cells), 0.01, np.float32)
        distances = np.full((4, cells, cells), 8, np.float32)
        if len(rows) == 0:
            return score, distances
        x0, x1 = columns.min(), columns.max() + 1
        y0, y1 = rows.min(), rows.max() + 1
        points = (np.arange(cells) - cells // 2) * 16 + image.shape[0] // 2
        row = int(np.abs(points - (y0 + y1) / 2).argmin())
        column = int(np.abs(points - (x0 + x1) / 2).argmin())
        score[row, column] = self.score
        distances[0], distances[2] = points[None] - x0, x1 - points[None]
        distances[1], distances[3] = points[:, None] - y0, y1 - points[:, None]
        return score, np.maximum(distances, 0)

    def clone(self) -> BrightSpotEngine:
        return BrightSpotEngine(self.score)


def frame(box, shape=(240, 320)) -> np.ndarray:
    """Dark (H, W, 3) uint8 frame with a white rectangle x, y, w, h."""
    image = np.full((*shape, 3), 30, np.uint8)
    x, y, w, h = (round(v) for v in box)
    image[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 255
    return image
