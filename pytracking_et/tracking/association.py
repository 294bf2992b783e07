"""Who is who among the peaks of the score map, from frame to frame.

Where the target stands among others that look like it, the highest peak is often another's. But the
others were seen in the frames before, too: what was there is followed, the target and its
look-alikes alike, and every peak is given to the track whose place and size it continues.

Each frame, all one-to-one matchings of tracks with peaks are weighed (at most 5 with 5, 1546 of
them): how far each track moved beside a motion common to all, which is the camera's and is taken
out in closed form, how its size and its colours changed, which tracks end and which peaks begin.
Their weights, summed over the matchings that give the target the same peak, are the odds of that
peak. Other than the published choice is taken only where the odds are clear; where they say that
none of the peaks is the target, the box rests, for a while. Where there is one peak and no
look-alike is remembered, nothing is weighed: the published decision stays as it is.

After KeepTrack (Mayer, Danelljan, Paudel and Van Gool, "Learning Target Candidate Association to
Keep Track of What Not to Track", ICCV 2021), which matches candidates of two frames by a learnt
graph network on appearance features. Here nothing is learnt, and colours of the crop stand for
appearance (`appearance`), so that every engine will do; tracks outlive frames in which they are
hidden, the matching is exact and its doubt known, and camera motion is a term of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..boxes import Box
from .decode import MOST_PEAKS

Array = NDArray[np.float64]

# Rate at which the remembered size of a track follows what is seen.
SIZE_RATE = 0.3
# The same for its colours, where they differ by less than the gate: what passes before the target
# is not to be learnt.
LOOK_RATE, LOOK_GATE = 0.1, 0.5
# A peak this near the target (share of the target's width and height) is a part of it, not another.
PART_OF_TARGET = 0.5


@dataclass(frozen=True)
class Candidates:
    """What looks like the target in one frame, best score first.

    Attributes:
        boxes: (N, 4) x, y, w, h in pixels of the frame, as predicted (sizes are not smoothed).
        scores: (N,) of the network, 0..1.
        target: row of the one that is taken for the target; None where none is.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    target: int | None


@dataclass(frozen=True)
class Odds:
    """What is likely from one frame to the next.

    Attributes:
        own: deviation of the target's step, beside the common motion, in units of the target's
            size sqrt(w h); it grows while the track is hidden.
        other: likewise, of look-alikes.
        common: deviation of the common motion, in the same units.
        size: deviation of the logarithm of the target's width and height.
        other_size: likewise, of look-alikes.
        gone: cost of a target that is not seen.
        other_gone: likewise, of look-alikes.
        new: cost of a peak that belongs to no track.
        score: weight of the log-odds of the score for the target's peak.
        look: weight of the difference in colours, 0 (the same) .. 1.
        doubt: odds that another decision than the published one needs.
        memory: frames for which a look-alike that is not seen is remembered.
        patience: frames for which the box rests at most.
    """

    own: float = 0.25
    other: float = 0.35
    common: float = 0.3
    size: float = 0.2
    other_size: float = 0.3
    gone: float = 5.0
    other_gone: float = 1.5
    new: float = 1.5
    score: float = 1.0
    look: float = 30.0
    doubt: float = 0.6
    memory: int = 10
    patience: int = 5


@lru_cache(maxsize=64)
def matchings(tracks: int, peaks: int) -> NDArray[np.intp]:
    """All one-to-one partial matchings (H, tracks): a peak for each track, or `peaks` for none."""
    rows = [
        row
        for row in product(range(peaks + 1), repeat=tracks)
        if len({peak for peak in row if peak < peaks}) == sum(peak < peaks for peak in row)
    ]
    return np.array(rows, np.intp).reshape(len(rows), tracks)


@lru_cache(maxsize=64)
def _indicators(tracks: int, peaks: int) -> NDArray[np.float64]:
    """(H, tracks * (peaks + 1)) of ones and zeros: sums over a matching become one product."""
    options = matchings(tracks, peaks)
    return np.eye(peaks + 1)[options].reshape(len(options), -1)


class Association:
    """Tracks of one target, row 0, and of its look-alikes.

    Attributes:
        shift: (2,) common motion of the last frame in pixels, for a target that is not seen.
    """

    def __init__(self, center: Array, size: Array, look: NDArray[np.float32]) -> None:
        self.odds = Odds()
        self.shift = np.zeros(2)
        self._looks = look[None].copy()
        self.restart(center, size)

    def restart(self, center: Array, size: Array) -> None:
        """The target is elsewhere; its look-alikes are forgotten, its colours are not."""
        self._places, self._sizes = center[None].copy(), np.log(size)[None]
        self._looks, self._unseen = self._looks[:1], np.zeros(1)

    def choose(
        self, boxes: Box, scores: Array, looks: NDArray[np.float32], published: int
    ) -> int | None:
        """Row of the target's peak; None where none of them is the target.

        Args:
            boxes: (N, 4) x, y, w, h in pixels of the frame, at most five.
            scores: (N,).
            looks: (N, D) of `appearance.looks`.
            published: row that the published ranking takes.
        """
        count = len(boxes)
        centers, sizes = boxes[:, :2] + boxes[:, 2:] / 2, np.log(boxes[:, 2:])
        if count == 1 and len(self._places) == 1:
            self._see(0, centers[0], sizes[0], looks[0])
            return 0
        options, costs, motions = self._weigh(centers, sizes, scores, looks)
        odds = np.bincount(options[:, 0], np.exp(costs.min() - costs), count + 1)
        best = int(odds.argmax())
        clear = odds[best] >= self.odds.doubt * odds.sum()
        rests = best == count
        if not clear or (rests and self._unseen[0] >= self.odds.patience):
            best = published
        agree = np.flatnonzero(options[:, 0] == best)
        row = agree[costs[agree].argmin()]
        self._follow(options[row], motions[row], centers, sizes, looks)
        return None if best == count else best

    def _weigh(
        self, centers: Array, sizes: Array, scores: Array, looks: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], Array, Array]:
        """Matchings (H, K), their costs (H,) and common motions (H, 2) in pixels."""
        odds, tracks, count = self.odds, len(self._places), len(centers)
        scale = np.exp(self._sizes[0].mean())
        steps = (centers[None] - self._places[:, None]) / scale
        changes = sizes[None] - self._sizes[:, None]
        target = np.arange(tracks) == 0
        age = 1 + self._unseen
        place = np.where(target, odds.own, odds.other) ** 2 * age
        shape = np.where(target, odds.size, odds.other_size) ** 2 * age
        costs = np.empty((tracks, count + 1))
        costs[:, :count] = (steps**2).sum(-1) / (2 * place[:, None])
        costs[:, :count] += (changes**2).sum(-1) / (2 * shape[:, None])
        costs[:, :count] += np.log(place * shape)[:, None]
        costs[:, :count] += odds.look * (1 - self._looks @ looks.T)
        sure = np.clip(scores, 1e-3, 1 - 1e-3)
        costs[0, :count] -= odds.score * np.log(sure / (1 - sure))
        costs[:, count] = np.where(target, odds.gone, odds.other_gone)
        # The common motion g costs |g|^2 / 2 common^2 and takes g off every step; its best value
        # and what it saves follow from the sums of the pulls and of the weights.
        terms = np.zeros((tracks, count + 1, 4))
        terms[..., 0], terms[:, count, 0] = costs, costs[:, count] + odds.new
        terms[:, :count, 1] = 1 / place[:, None]
        terms[:, :count, 2:] = steps / place[:, None, None]
        sums = _indicators(tracks, count) @ terms.reshape(-1, 4)
        stiffness, pull = 1 / odds.common**2 + sums[:, 1], sums[:, 2:]
        total = sums[:, 0] + odds.new * (count - tracks) + np.log(stiffness)
        total -= (pull[:, 0] ** 2 + pull[:, 1] ** 2) / (2 * stiffness)
        return matchings(tracks, count), total, pull * (scale / stiffness)[:, None]

    def _follow(
        self,
        option: NDArray[np.intp],
        shift: Array,
        centers: Array,
        sizes: Array,
        looks: NDArray[np.float32],
    ) -> None:
        count = len(centers)
        self.shift = shift
        for track, peak in enumerate(option):
            if peak < count:
                self._see(track, centers[peak], sizes[peak], looks[peak])
            else:
                self._places[track] += shift
                self._unseen[track] += 1
        apart = np.abs(centers - self._places[0]) > PART_OF_TARGET * np.exp(self._sizes[0])
        new = [peak for peak in range(count) if peak not in option and apart[peak].any()]
        new = new[: MOST_PEAKS - 1]
        # Oldest last: of more tracks than can be matched, those hidden for longest are forgotten.
        known = [k for k in range(1, len(option)) if self._unseen[k] <= self.odds.memory]
        known.sort(key=lambda track: self._unseen[track])
        kept = [0, *known[: MOST_PEAKS - 1 - len(new)]]
        self._places = np.concatenate([self._places[kept], centers[new]])
        self._sizes = np.concatenate([self._sizes[kept], sizes[new]])
        self._looks = np.concatenate([self._looks[kept], looks[new]])
        self._unseen = np.concatenate([self._unseen[kept], np.zeros(len(new))])

    def _see(self, track: int, center: Array, size: Array, look: NDArray[np.float32]) -> None:
        self._places[track] = center
        self._sizes[track] += SIZE_RATE * (size - self._sizes[track])
        self._unseen[track] = 0
        if 1 - float(self._looks[track] @ look) < LOOK_GATE:
            mixed = (1 - LOOK_RATE) * self._looks[track] + LOOK_RATE * look
            self._looks[track] = mixed / max(float(np.linalg.norm(mixed)), 1e-6)
