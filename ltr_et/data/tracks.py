"""Which crops belong to which track, and how often each source and track is drawn."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pytracking_et.errors import ParameterError

from ..dataset.pack import source_table

# A source the table does not name gets the weight of the recipe's small ones.
DEFAULT_WEIGHT = 0.014


def generator(*key: int | str) -> np.random.Generator:
    """A generator that depends on the key alone, e.g. (seed, epoch, item), not on the worker.

    Give keys of one length: numpy takes no notice of zeros at the end.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.default_rng(words)


def source_weights(
    sources: list[str], weights: Mapping[str, float] | None = None
) -> NDArray[np.float64]:
    """Probability of each source (sums to 1).

    Args:
        sources: names.
        weights: replaces the pack's table for the sources it names.

    Raises:
        ParameterError: a negative weight, or none above zero.
    """
    table = source_table()
    named = {name: table.get(name, {}).get("weight", DEFAULT_WEIGHT) for name in sources}
    named |= {name: value for name, value in (weights or {}).items() if name in named}
    values = np.array([named[name] for name in sources], np.float64)
    if (values < 0).any() or values.sum() <= 0:
        raise ParameterError(f"source weights {named}: give no negative ones and one above zero")
    return values / values.sum()


class TrackTable:
    """Rows (crops or views) grouped by source and track.

    Args:
        source: (N,) number of each row's source in `sources`.
        track: (N,) name of each row's track within its source.
        sources: names of the sources.
        weights: see `source_weights`.
    """

    def __init__(
        self,
        source: NDArray,
        track: NDArray,
        sources: list[str],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.sources = sources
        names = np.char.add(np.char.add(np.array(sources)[source], "/"), track.astype(str))
        self.names, first, self.track = np.unique(names, return_index=True, return_inverse=True)
        self.track_source = np.asarray(source)[first]
        order = np.argsort(self.track, kind="stable")
        counts = np.bincount(self.track, minlength=len(self.names))
        self.rows = np.split(order, np.cumsum(counts)[:-1])
        present = np.isin(np.arange(len(sources)), self.track_source)
        chance = source_weights(sources, weights) * present
        self._source_edge = np.cumsum(chance / chance.sum())
        self._tracks = [np.flatnonzero(self.track_source == k) for k in range(len(sources))]
        # Long tracks more often than short ones, but by the root: their frames are alike.
        self._edges = [np.cumsum(np.sqrt(counts[tracks])) for tracks in self._tracks]

    def draw(self, rng: np.random.Generator) -> int:
        """Number of a track: source by its weight, then a track by the root of its length."""
        chance = rng.random(2)
        source = int(np.searchsorted(self._source_edge, chance[0], side="right"))
        source = min(source, len(self.sources) - 1)
        edge = self._edges[source]
        place = int(np.searchsorted(edge, chance[1] * edge[-1], side="right"))
        return int(self._tracks[source][min(place, len(edge) - 1)])

    def draw_many(self, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
        """Numbers of `count` tracks, each as `draw` draws one."""
        chance = rng.random((2, count))
        source = np.searchsorted(self._source_edge, chance[0], side="right")
        source = np.minimum(source, len(self.sources) - 1)
        result = np.empty(count, np.intp)
        for number in np.unique(source).tolist():
            at = source == number
            edge = self._edges[number]
            place = np.searchsorted(edge, chance[1][at] * edge[-1], side="right")
            result[at] = self._tracks[number][np.minimum(place, len(edge) - 1)]
        return result
