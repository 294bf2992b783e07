"""Pairs straight from whole frames, for the official data sets (no crop store needed).

Views are the paper's, neither mirrored nor grey.
Same arguments as pytracking's `TrackingSampler`, except that the order depends on the seed alone
and that `max_gap` may differ per data set (paper: LaSOT and TrackingNet 100, GOT-10k 30; the
authors' code reads 100 for all).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pytracking_et.errors import ParameterError

from ..dataset.base import BaseDataset
from .pairs import PairSource, Sample, image_sample
from .views import (
    PAPER_SEARCH_VIEW,
    PAPER_TEMPLATE_VIEW,
    draw_flavour,
    frame_picture,
    make_view,
)

# Annotations kept in memory per worker; LaSOT and GOT-10k fit, TrackingNet is read again.
KEPT = 4000
MAX_GAP = {"lasot": 100, "trackingnet": 100, "got10k": 30, "coco": 0}


class TrackingSampler(PairSource):
    """Draws a data set, a sequence, and two frames of it; for stills the same image twice.

    Args:
        datasets: what to draw from.
        p_datasets: weight of each; None weighs them alike.
        max_gap: largest distance of the two frames, for all or one per data set; None takes
            MAX_GAP's value by the data set's name, and 100 for others.
        seed: of every draw.

    Raises:
        ParameterError: lists of different lengths, or weights that are no weights.
    """

    def __init__(
        self,
        datasets: Sequence[BaseDataset],
        p_datasets: Sequence[float] | None = None,
        max_gap: int | Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        self.datasets = list(datasets)
        weights = np.ones(len(self.datasets)) if p_datasets is None else np.array(p_datasets)
        if len(weights) != len(self.datasets) or (weights < 0).any() or not weights.sum() > 0:
            raise ParameterError(
                f"p_datasets {weights.tolist()} for {len(self.datasets)} data sets: give one "
                "weight >= 0 for each, not all 0"
            )
        self._edge = np.cumsum(weights / weights.sum())
        if max_gap is None:
            self.max_gap = [MAX_GAP.get(dataset.name, 100) for dataset in self.datasets]
        elif isinstance(max_gap, int):
            self.max_gap = [max_gap] * len(self.datasets)
        else:
            self.max_gap = list(max_gap)
        if len(self.max_gap) != len(self.datasets):
            raise ParameterError(f"max_gap {self.max_gap} for {len(self.datasets)} data sets")
        self._annotations: dict[tuple[int, int], tuple[NDArray, NDArray]] = {}
        super().__init__(seed, [dataset.name for dataset in self.datasets])

    def _usable(self, number: int, seq_id: int) -> tuple[NDArray, NDArray]:
        """Usable frames of a sequence of data set `number`, and all its boxes."""
        kept, key = self._annotations, (number, seq_id)
        found = kept.pop(key, None)
        if found is None:
            info = self.datasets[number].get_sequence_info(seq_id)
            found = np.flatnonzero(info["valid"] & info["visible"]), info["bbox"]
        kept[key] = found  # the last used is the last
        if len(kept) > KEPT:
            del kept[next(iter(kept))]
        return found

    def _draw(self, rng: np.random.Generator) -> Sample | None:
        number = int(np.searchsorted(self._edge, rng.random(), side="right"))
        number = min(number, len(self.datasets) - 1)
        dataset = self.datasets[number]
        seq_id = int(rng.integers(len(dataset)))
        rows, boxes = self._usable(number, seq_id)
        if not len(rows):
            return None
        first = int(rng.choice(rows))
        second = first
        if dataset.is_video_sequence():
            gap = np.abs(rows - first)
            near = rows[(gap <= self.max_gap[number]) & (gap > 0)]
            if not len(near):
                return None
            second = int(rng.choice(near))
        flavour = draw_flavour(rng, 0, 0)
        views = []
        frame = dataset.read_frame(seq_id, first)
        for frame_id, settings in ((first, PAPER_TEMPLATE_VIEW), (second, PAPER_SEARCH_VIEW)):
            if frame_id != first:
                frame = dataset.read_frame(seq_id, frame_id)
            picture = frame_picture(frame, boxes[frame_id], dataset.others(seq_id, frame_id))
            views.append(make_view(rng, picture, settings, flavour))
        return image_sample(views[0], views[1], positive=True, pseudo=False)
