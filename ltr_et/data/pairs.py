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
# Share of pairs whose search view does not hold the target, and of those the share where it holds
# another object of the target's class.
NEGATIVE, SAME_CLASS = 0.1, 0.7


def generator(*key: int) -> np.random.Generator:
    """A generator that depends on the key alone, e.g. (seed, epoch, item), not on the worker.

    Give keys of one length: numpy takes no notice of zeros at the end.

    Raises:
        ParameterError: a negative number.
    """
    if min(key) < 0:
        raise ParameterError(f"seed {key[0]} of {key}: give 0 or more")
    return np.random.default_rng(key)


def source_weights(sources: list[str]) -> NDArray[np.float64]:
    """Probability of each source (sums to 1), by the pack's table."""
    table = source_table()
    weights = [table.get(name, {}).get("weight", DEFAULT_WEIGHT) for name in sources]
    return np.array(weights, np.float64) / np.sum(weights)


def joined(sources: NDArray, names: NDArray) -> NDArray[np.str_]:
    """ "source/name" of each row: names are unique within their source alone."""
    return np.char.add(np.char.add(sources, "/"), names.astype(str))


class TrackTable:
    """Rows (crops or views) grouped by source and track.

    Args:
        source: (N,) number of each row's source in `sources`.
        track: (N,) name of each row's track within its source.
        sources: names of the sources.

    Raises:
        DatasetError: no row.
    """

    def __init__(self, source: NDArray, track: NDArray, sources: list[str]) -> None:
        if not len(track):
            raise DatasetError(
                f"nothing to train on in {sources}: every clip is held out for validation; build "
                "the crop store with a smaller --held-out"
            )
        self.sources = sources
        names = joined(np.array(sources)[source], track)
        self.names, first, number = np.unique(names, return_index=True, return_inverse=True)
        self.track_source = np.asarray(source)[first]
        order = np.argsort(number, kind="stable")
        counts = np.bincount(number)
        self.rows = np.split(order, np.cumsum(counts)[:-1])
        present = np.isin(np.arange(len(sources)), self.track_source)
        chance = source_weights(sources) * present
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


class PairSource:
    """What a loader reads: `pairs[epoch, item]` is one sample (see the module).

    Args:
        seed: of every draw.
        place: where the pairs come from, for messages.
    """

    def __init__(self, seed: int, place: object) -> None:
        self.seed, self.place = seed, place

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
        raise DatasetError(
            f"no readable pair in {ATTEMPTS} attempts in {self.place}; last unreadable image: "
            f"{broken[-1:]}"
        )

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        """A sample without its index; None where what was drawn makes no pair."""
        raise NotImplementedError


class _Tracks:
    """Tracks of N rows, and for each track those of its class."""

    def __init__(
        self, source: NDArray, track: NDArray, clip: NDArray, category: NDArray, sources: list[str]
    ) -> None:
        self.table = TrackTable(source, track, sources)
        first = np.array([rows[0] for rows in self.table.rows])
        clips = joined(np.array(sources)[self.table.track_source], clip[first])
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
        if members is not None and rng.random() < SAME_CLASS:
            for other in rng.choice(members, 4).tolist():
                if self.clip[other] != self.clip[track]:
                    return int(other)
        for _ in range(8):
            other = self.table.draw(rng)
            if self.clip[other] != self.clip[track]:
                return other
        return None


def partner(rng: np.random.Generator, frame: int, frames: NDArray) -> int:
    """Place in `frames` of another frame than `frame`, where there is one."""
    others = np.flatnonzero(frames != frame)
    return int(rng.choice(others if len(others) else np.arange(len(frames))))


class CropPairs(PairSource):
    """Pairs of images, made from a crop store as they are asked for.

    Args:
        store: its training part, or its held-out part with `paste` off.
        seed: of every draw.
        negative: share of pairs whose search view does not hold the target.
        paste: whether masked objects of the store are pasted into search views.
    """

    def __init__(
        self, store: CropStore, seed: int = 0, negative: float = NEGATIVE, paste: bool = True
    ) -> None:
        super().__init__(seed, store.folder)
        self.store, self.negative = store, negative
        self.donors = Donors(store) if paste else None
        names = store.field
        self.tracks = _Tracks(
            store.source, names["track"], names["clip"], names["category"], store.sources
        )

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        frames = self.store.field["frame"]
        track = self.tracks.table.draw(rng)
        rows = self.tracks.table.rows[track]
        row = int(rng.choice(rows))
        positive = bool(rng.random() >= self.negative)
        other = None if positive else self.tracks.stranger(rng, track)
        if other is not None:
            template = int(rng.choice(self.tracks.table.rows[other]))
        else:
            positive = True
            template = int(rows[partner(rng, int(frames[row]), frames[rows])])
        flavour = draw_flavour(rng)
        z = make_view(rng, crop_picture(self.store, template), TEMPLATE_VIEW, flavour)
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

    Args:
        seed: of every draw.
        negative: share of pairs whose search view does not hold the target.
    """

    def __init__(self, cache: FeatureCache, seed: int = 0, negative: float = NEGATIVE) -> None:
        super().__init__(seed, cache.folder)
        self.cache, self.negative = cache, negative
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
            code, fields["x_track"], fields["x_clip"], fields["x_category"], names
        )
        place = {name: number for number, name in enumerate(self.tracks.table.names.tolist())}
        z_names = joined(fields["z_source"], fields["z_track"])
        self._z: dict[tuple[int, int], NDArray[np.intp]] = {}
        unique, inverse = np.unique(z_names, return_inverse=True)
        track = np.array([place.get(name, -1) for name in unique.tolist()])[inverse]
        key = track * 4 + fields["z_flavour"]
        order = np.argsort(key, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
            self._z[int(track[group[0]]), int(fields["z_flavour"][group[0]])] = group

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        fields = self.cache.field
        track = self.tracks.table.draw(rng)
        row = int(rng.choice(self.tracks.table.rows[track]))
        flavour = int(fields["x_flavour"][row])
        positive = bool(rng.random() >= self.negative)
        template = None if positive else self._foreign_template(rng, track, flavour)
        if template is None:
            positive = True
            group = self._z.get((track, flavour))
            if group is None:
                return None
            frame = int(fields["x_frame"][row])
            template = int(group[partner(rng, frame, fields["z_frame"][group])])
        box, distractors = target_boxes(
            fields["x_box"][row], fields["x_distractors"][row], positive
        )
        return {
            "z": self.cache.z(template), "x": self.cache.x(row), "box": box, "positive": positive,
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
