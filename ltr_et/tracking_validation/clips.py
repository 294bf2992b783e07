"""What is tracked: development sequences, whole and restarted, and tracks of the training pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import get_dataset

from ..data.build_crops import held_out_clips
from ..dataset.base import BaseDataset
from ..dataset.pack import is_pseudo, open_pack

# Tracks shorter than this tell chance from skill badly.
LEAST_FRAMES = 8
# Set: data sets (name, folder) of which it is made, and how it is restarted: anew in every so many
# frames, for so many, where so many are left. WTRACK shows every fourth frame of its videos.
SETS = {
    "shared": ((("otb", "OTB100"), ("uav", "UAV123")), (50, 100, 55)),
    "wtrack": ((("otb", "WTRACK"),), (25, 50, 27)),
}
TRACKS = "tracks"
WHOLE, RESTARTED = "whole", "restarted"
# First boxes are moved and resized by up to this many pixels, but by no more than this share of a
# side: 4 px are a third of the smallest targets' width.
MOVED_PIXELS, MOVED_SHARE, SEEDS = 4.0, 0.25, (1, 2, 3)


@dataclass(frozen=True)
class Start:
    """One run over a clip.

    Attributes:
        kind: "whole" or "restarted".
        frame: where it starts.
        frames: how many, the first included.
        seed: of the change to the first box, 0 for none.
    """

    kind: str
    frame: int
    frames: int
    seed: int = 0

    @property
    def key(self) -> str:
        """Name of the run within its clip."""
        return f"{self.kind}/{self.frame}/{self.seed}"


@dataclass(frozen=True)
class Clip:
    """Frames with the boxes of one target.

    Attributes:
        part: "shared", "wtrack" or "tracks".
        source: data set it is of; its own name where it stands for itself.
        name: unique within the part.
        paths: image files.
        boxes: (N, 4) x, y, w, h in pixels; NaN or no area where the target is absent.
        restart: every, frames and least frames left; None: whole only.
    """

    part: str
    source: str
    name: str
    paths: tuple[str, ...]
    boxes: NDArray[np.float64]
    restart: tuple[int, int, int] | None = None

    def starts(self, quick: bool) -> list[Start]:
        """Runs over this clip; `quick` leaves out those with changed first boxes."""
        found = [Start(WHOLE, 0, len(self.paths))]
        if self.restart is not None:
            every, frames, least = self.restart
            for frame in range(0, len(self.paths), every):
                left = min(frames, len(self.paths) - frame)
                if (left >= least or frame == 0) and self._visible(frame):
                    found.append(Start(RESTARTED, frame, left))
        seeds = (0,) if quick else (0, *SEEDS)
        return [replace(one, seed=seed) for one in found for seed in seeds]

    def first_box(self, start: Start) -> NDArray[np.float64]:
        """Box (4,) that the tracker is given."""
        box = self.boxes[start.frame]
        if start.seed == 0:
            return box
        letters = [ord(letter) for letter in self.name]
        random = np.random.default_rng([start.seed, start.frame, *letters])
        most = np.minimum(MOVED_PIXELS, MOVED_SHARE * box[2:])
        shift, growth = random.uniform(-1, 1, 2) * most, random.uniform(-1, 1, 2) * most
        return np.concatenate([box[:2] + shift - growth / 2, box[2:] + growth])

    def _visible(self, frame: int) -> bool:
        box = self.boxes[frame]
        return bool(np.isfinite(box).all() and (box[2:] > 0).all())


def sequences(root: Path, names: Sequence[str], restarted: bool = True) -> list[Clip]:
    """Clips of the development sets `names` below `root`.

    Args:
        restarted: begun anew, too.

    Raises:
        DatasetError: a set's folder is absent.
    """
    found = []
    for part in names:
        layouts, restart = SETS[part]
        for layout, folder in layouts:
            for sequence in get_dataset(layout, root=root / folder):
                boxes = np.asarray(sequence.ground_truth_rect, np.float64)
                paths = tuple(str(path) for path in sequence.frames)
                again = restart if restarted else None
                found.append(Clip(part, sequence.name, sequence.name, paths, boxes, again))
    return found


def tracks(root: Path, part: str = "held_out", sources: Sequence[str] | None = None) -> list[Clip]:
    """Tracks of the training pack's videos that are long enough.

    Args:
        root: folder of the pack, with video/.
        part: "held_out" (never trained on), "train" or "all". Pseudo-labelled sources are not used.
        sources: only these.

    Raises:
        DatasetError: there is none, or a source that has no such tracks is asked for.
    """
    found: list[Clip] = []
    usable = {
        dataset.name: dataset
        for dataset in open_pack(root)
        if dataset.is_video_sequence() and not is_pseudo(dataset.name)
    }
    unknown = [name for name in sources or () if name not in usable]
    if unknown:
        raise DatasetError(
            f"no source {unknown[0]!r} of videos with boxes of people's in {root}; there are: "
            f"{', '.join(usable)}"
        )
    for name, dataset in usable.items():
        if not sources or name in sources:
            found.extend(_tracks(dataset, part))
    if not found:
        raise DatasetError(f"no {part} video track of at least {LEAST_FRAMES} frames in the data")
    return found


def _tracks(dataset: BaseDataset, part: str) -> Iterator[Clip]:
    kept = held_out_clips(dataset)
    for number in range(len(dataset)):
        held_out = dataset.clip_name(number) in kept
        if part != "all" and held_out != (part == "held_out"):
            continue
        info = dataset.get_sequence_info(number)
        frames = np.flatnonzero(info["valid"] & info["visible"])
        if len(frames) >= LEAST_FRAMES:
            paths = tuple(str(dataset.frame_path(number, frame)) for frame in frames.tolist())
            boxes = np.asarray(info["bbox"], np.float64)[frames]
            name = f"{dataset.name}/{dataset.track_name(number)}"
            yield Clip(TRACKS, dataset.name, name, paths, boxes)
