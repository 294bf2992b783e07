"""What a score means: the probability that the box is right (IoU above 0.5).

The network's score says how much something is like the template, and is near 1 for look-alikes,
too. Seven kinds of evidence, all at hand in the loop, are weighed by a logistic model: the score,
the best other peak's, how much the box shows the colours that the target had lately, how well the
cells around the chosen one agree on the box, the score over the last frames, the worst agreement
lately, and the worst likeness lately of what the box shows to what it showed a frame before. Its
eight numbers are fitted to weights in their loop (docs/make/reliability.py) and are the parameter
`presence`. Tried beside them, and worth nothing or little: the association's belief, the colours of
the first frame, motion and size, a filter or a latch over the frames, features of the backbone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..boxes import iou
from .decode import Cells

# Scores nearer to 0 or 1 say no more; what the other peak is worth where there is none.
CLIP, NO_OTHER = (-2.0, 6.0), -3.0
# Rate of the mean over frames, and how fast a bad frame is forgiven.
MEAN_RATE, FORGIVEN = 0.1, 0.01
# Rate at which the remembered colours follow, where the likeness is above the gate.
LOOK_RATE, LOOK_GATE = 0.05, 0.5


class Evidence(NamedTuple):
    """What one crop says of one of its peaks.

    Attributes:
        score: log-odds of the network's score.
        other: log-odds of the best other peak's.
        agreement: mean IoU of the boxes of the cells around it with its own, weighted by score.
    """

    score: float
    other: float
    agreement: float


def evidence(cells: Cells, found: Sequence[tuple[int, int]], row: int) -> Evidence:
    """Evidence for peak `row` of `found` (`decode.peaks`)."""
    i, j = cells_at = found[row]
    around = np.s_[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
    size, score = cells.size[around].reshape(-1, 2), cells.score[around].reshape(-1)
    boxes = np.concatenate([cells.offset[around].reshape(-1, 2) - size / 2, size], 1)
    own = np.concatenate([cells.offset[cells_at] - cells.size[cells_at] / 2, cells.size[cells_at]])
    agreement = float(score @ iou(boxes, own)) / max(float(score.sum()), 1e-9)
    others = [float(cells.score[cell]) for k, cell in enumerate(found) if k != row]
    other = _log_odds(max(others)) if others else NO_OTHER
    return Evidence(_log_odds(float(cells.score[i, j])), other, agreement)


class Presence:
    """Evidence of one target over time.

    Args:
        look: (D,) colours of the given box (`appearance.looks`).
        thumbnail: (P,) what the given box shows (`appearance.thumbnail`).
        numbers: weights of the seven kinds of evidence, and their bias; empty: `see` gives the
            network's score.

    Attributes:
        weighed: the seven of the last frame, in this order: score, other, colours, agreement,
            score over frames, worst agreement, worst likeness to the frame before.
    """

    def __init__(
        self,
        look: NDArray[np.float32],
        thumbnail: NDArray[np.float32],
        numbers: Sequence[float],
    ) -> None:
        self._look, self._thumbnail, self._numbers = look, thumbnail, numbers
        self._mean, self._worst, self._least = CLIP[1], 1.0, 1.0
        self.weighed: tuple[float, ...] = ()

    def see(
        self, seen: Evidence, look: NDArray[np.float32], thumbnail: NDArray[np.float32]
    ) -> float:
        """Probability (0..1) that the box of this frame is right."""
        if not self._numbers:
            return 1 / (1 + math.exp(-seen.score))
        score, likeness = _clipped(seen.score), float(self._look @ look)
        self._mean += MEAN_RATE * (score - self._mean)
        self._worst = min(seen.agreement, self._worst + FORGIVEN)
        self._least = min(float(self._thumbnail @ thumbnail), self._least + FORGIVEN)
        self._thumbnail = thumbnail
        if likeness > LOOK_GATE:
            mixed = (1 - LOOK_RATE) * self._look + LOOK_RATE * look
            self._look = (mixed / np.linalg.norm(mixed)).astype(np.float32)
        now = (score, seen.other, likeness, seen.agreement)
        self.weighed = (*now, self._mean, self._worst, self._least)
        *weights, bias = self._numbers
        odds = bias + sum(w * x for w, x in zip(weights, self.weighed, strict=True))
        return 1 / (1 + math.exp(-min(max(odds, -30.0), 30.0)))

    def elsewhere(self, seen: Evidence, thumbnail: NDArray[np.float32]) -> Presence:
        """The same target found in another place, of which the last frames say nothing."""
        twin = Presence(self._look, thumbnail, self._numbers)
        twin._mean, twin._worst = _clipped(seen.score), seen.agreement
        return twin


def _clipped(log_odds: float) -> float:
    return min(max(log_odds, CLIP[0]), CLIP[1])


def _log_odds(score: float) -> float:
    score = min(max(score, 1e-4), 1 - 1e-4)
    return math.log(score / (1 - score))
