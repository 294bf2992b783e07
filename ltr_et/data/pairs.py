"""Template-search pairs from a crop store or a feature cache, drawn by source and track.

Every pair source is indexed by (epoch, item) and draws from a generator of (seed, epoch, item): the
same pair whatever the number of workers or processes. A sample is a dict of

    template (T, T, 3), search (S, S, 3) uint8 RGB,  or  z (96, 8, 8), x (96, 16, 16) float16
    box (4,) float32 x, y, w, h in search pixels; zeros where the target is absent
    positive bool: the target is in the search view;  pseudo bool: loose box, not to regress to
    distractors (8, 4) float32 boxes of other objects, padded with zeros
    index int, and broken: names of images that could not be read on the way
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytracking_et.errors import DatasetError, ImageError, ParameterError

from ..dataset.pack import source_table
from .crops import CropStore
from .features import FeatureCache, pad_boxes
from .paste import Donors
from .views import (
    SEARCH_VIEW,
    TEMPLATE_VIEW,
    View,
    crop_picture,
    draw_flavour,
    make_view,
)

# A source the table does not name gets the weight of the recipe's small ones.
DEFAULT_WEIGHT = 0.014


def generator(*key: int | str) -> np.random.Generator:
    """A generator that depends on the key alone, e.g. (seed, epoch, item), not on the worker.

    Give keys of one length: numpy takes no notice of zeros at the end.

    Raises:
        ParameterError: a negative number.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    if min(words) < 0:
        raise ParameterError(f"seed {words[0]} of {key}: give 0 or more")
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

    Raises:
        DatasetError: no row.
    """

    def __init__(
        self,
        source: NDArray,
        track: NDArray,
        sources: list[str],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        if not len(track):
            raise DatasetError(
                f"nothing to train on in {sources}: every clip is held out for validation; build "
                "the crop store with a smaller --held-out"
            )
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
        return int(self.draw_many(rng, 1)[0])

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


Sample = dict[str, Any]
# A set with more broken images than this in a row is not worth guessing on.
ATTEMPTS = 20


@dataclass(frozen=True)
class PairSettings:
    """How pairs are drawn.

    Attributes:
        seed: of every draw.
        weights: probability per source, instead of the pack's table.
        max_gap: largest distance in frames of a pair, per source; sources not named: any.
        negative: share of pairs whose search view does not hold the target.
        same_class: share of those where it holds another object of the target's class.
    """

    seed: int = 0
    weights: Mapping[str, float] | None = None
    max_gap: Mapping[str, int] = field(default_factory=dict)
    negative: float = 0.1
    same_class: float = 0.7


class PairSource:
    """What a loader reads: `pairs[epoch, item]` is one sample (see the module)."""

    seed: int

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, item = key
        broken: list[str] = []
        for attempt in range(ATTEMPTS):
            try:
                sample = self._draw(generator(self.seed, epoch, item, attempt))
            except ImageError as error:
                broken.append(str(error))
                continue
            if sample is not None:
                return sample | {"index": item, "broken": broken}
        raise DatasetError(self._failure(broken))

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        """A sample without its index; None where what was drawn makes no pair."""
        raise NotImplementedError

    def _failure(self, broken: list[str]) -> str:
        """What to tell after ATTEMPTS without a sample."""
        raise NotImplementedError


class _Tracks:
    """Tracks of N rows, and for each track those of its class."""

    def __init__(
        self, source: NDArray, track: NDArray, clip: NDArray, category: NDArray,
        sources: list[str], settings: PairSettings,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.table = TrackTable(source, track, sources, settings.weights)
        first = np.array([rows[0] for rows in self.table.rows])
        self.source = [sources[number] for number in self.table.track_source]
        clips = np.char.add(np.char.add(np.array(self.source), "/"), clip[first].astype(str))
        self.clip = np.unique(clips, return_inverse=True)[1]
        self.category = category[first].astype(str)
        groups: dict[str, list[int]] = {}
        for number, name in enumerate(self.category.tolist()):
            groups.setdefault(name, []).append(number)
        groups.pop("", None)
        self._class = {name: np.array(members) for name, members in groups.items()}

    def stranger(self, rng: np.random.Generator, track: int) -> int | None:
        """A track of another clip (its target cannot be in the view), often of the same class."""
        members = self._class.get(str(self.category[track]))
        if members is not None and rng.random() < self.settings.same_class:
            for other in rng.choice(members, 4).tolist():
                if self.clip[other] != self.clip[track]:
                    return int(other)
        for _ in range(8):
            other = self.table.draw(rng)
            if self.clip[other] != self.clip[track]:
                return other
        return None

    def partner(
        self, rng: np.random.Generator, track: int, frame: int, frames: NDArray
    ) -> int | None:
        """Place in `frames` of a frame within the source's gap, another one where there is one."""
        gap = np.abs(frames - frame)
        limit = self.settings.max_gap.get(self.source[track])
        near = np.ones(len(gap), bool) if limit is None else gap <= limit
        choices = np.flatnonzero(near & (gap > 0))
        if not len(choices):
            choices = np.flatnonzero(near)
        return int(rng.choice(choices)) if len(choices) else None


class CropPairs(PairSource):
    """Pairs of images, made from a crop store as they are asked for.

    Args:
        store: its training part, or its held-out part with `paste` off.
        settings: how pairs are drawn.
        paste: whether masked objects of the store are pasted into search views.
    """

    def __init__(
        self, store: CropStore, settings: PairSettings | None = None, paste: bool = True
    ) -> None:
        self.settings = settings or PairSettings()
        self.seed = self.settings.seed
        self.store = store
        self.donors = Donors(store) if paste else None
        names = store.field
        self.tracks = _Tracks(
            store.source, names["track"], names["clip"], names["category"], store.sources,
            self.settings,
        )  # fmt: skip

    def _failure(self, broken: list[str]) -> str:
        place = self.store.folder
        return f"no readable pair in {ATTEMPTS} attempts in {place}; last: {broken[-1:]}"

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        frames = self.store.field["frame"]
        track = self.tracks.table.draw(rng)
        rows = self.tracks.table.rows[track]
        row = int(rng.choice(rows))
        positive = bool(rng.random() >= self.settings.negative)
        other = None if positive else self.tracks.stranger(rng, track)
        if other is not None:
            partner = int(rng.choice(self.tracks.table.rows[other]))
        else:
            positive = True
            place = self.tracks.partner(rng, track, int(frames[row]), frames[rows])
            if place is None:
                return None
            partner = int(rows[place])
        flavour = draw_flavour(rng)
        z = make_view(rng, crop_picture(self.store, partner), TEMPLATE_VIEW, flavour)
        x = make_view(rng, crop_picture(self.store, row), SEARCH_VIEW, flavour, self.donors)
        pseudo = bool(self.store.field["pseudo"][row])
        return image_sample(z, x, positive, pseudo)


def image_sample(z: View, x: View, positive: bool, pseudo: bool) -> Sample:
    """Sample of two views; where the target is absent the view's own object is a distractor."""
    box, distractors = target_boxes(x.box, x.distractors, positive)
    return {
        "template": z.image, "search": x.image, "box": box, "positive": positive,
        "pseudo": pseudo, "distractors": distractors,
    }  # fmt: skip


def target_boxes(
    box: NDArray, others: NDArray, positive: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Target box (4,) and padded distractors of a sample."""
    if positive:
        return box.astype(np.float32), pad_boxes(others, box)
    others = others[(others[:, 2:] > 0).all(1)]
    return np.zeros(4, np.float32), pad_boxes(np.concatenate([box[None], others]), box)


class FeaturePairs(PairSource):
    """Pairs of cached backbone features; see `features.FeatureCache`.

    Call `refresh` between epochs to take in chunks that were finished meanwhile.
    """

    def __init__(self, cache: FeatureCache | str | Path, settings: PairSettings | None = None):
        self.settings = settings or PairSettings()
        self.seed = self.settings.seed
        self.cache = cache if isinstance(cache, FeatureCache) else FeatureCache(cache)
        self._index()

    def refresh(self) -> bool:
        """Look for new chunks; True if there were any."""
        if not self.cache.refresh():
            return False
        self._index()
        return True

    def _index(self) -> None:
        fields = self.cache.field
        sources, code = np.unique(fields["x_source"], return_inverse=True)
        names = [str(name) for name in sources]
        self.tracks = _Tracks(
            code, fields["x_track"], fields["x_clip"], fields["x_category"], names, self.settings
        )
        place = {name: number for number, name in enumerate(self.tracks.table.names.tolist())}
        z_names = np.char.add(np.char.add(fields["z_source"], "/"), fields["z_track"])
        self._z: dict[tuple[int, int], NDArray[np.intp]] = {}
        unique, inverse = np.unique(z_names, return_inverse=True)
        track = np.array([place.get(name, -1) for name in unique.tolist()])[inverse]
        key = track * 4 + fields["z_flavour"]
        order = np.argsort(key, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
            self._z[int(track[group[0]]), int(fields["z_flavour"][group[0]])] = group

    def _failure(self, broken: list[str]) -> str:
        return (
            f"no pair in {ATTEMPTS} attempts in {self.cache.folder}: max_gap "
            f"{dict(self.settings.max_gap)} is too small for its views"
        )

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        fields = self.cache.field
        track = self.tracks.table.draw(rng)
        row = int(rng.choice(self.tracks.table.rows[track]))
        flavour = int(fields["x_flavour"][row])
        positive = bool(rng.random() >= self.settings.negative)
        partner = None if positive else self._foreign_template(rng, track, flavour)
        if partner is None:
            positive = True
            group = self._z.get((track, flavour))
            if group is None:
                return None
            frame = int(fields["x_frame"][row])
            place = self.tracks.partner(rng, track, frame, fields["z_frame"][group])
            if place is None:
                return None
            partner = int(group[place])
        box, distractors = target_boxes(
            fields["x_box"][row], fields["x_distractors"][row], positive
        )
        return {
            "z": self.cache.z(partner), "x": self.cache.x(row), "box": box, "positive": positive,
            "pseudo": bool(fields["x_pseudo"][row]), "distractors": distractors,
        }  # fmt: skip

    def _foreign_template(self, rng: np.random.Generator, track: int, flavour: int) -> int | None:
        for _ in range(4):
            other = self.tracks.stranger(rng, track)
            # A mirrored stranger is a stranger too; grey against colour would give it away.
            for code in (flavour, flavour ^ 1):
                group = None if other is None else self._z.get((other, code))
                if group is not None:
                    return int(rng.choice(group))
        return None
