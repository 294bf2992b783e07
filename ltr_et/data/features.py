"""Feature cache: what a frozen backbone makes of many views, so that training skips the backbone.

A cache is a folder of chunks, each complete once its folder exists:

    chunk-00000/x.npy        (Nx, 96, 16, 16) float16   search views
    chunk-00000/z.npy        (Nz, 96, 8, 8)   float16   template views
    chunk-00000/index.npz    names, boxes, flavours (fields below)
    meta.json                settings and fingerprint of the backbone, checked when resuming

Template and search of one track and flavour (flip x grey) may be combined freely.
Index fields, with prefix x_ or z_ : crop, source, track, clip, category, frame, flavour (0..3);
x_box (Nx, 4), x_distractors (Nx, DISTRACTORS, 4) padded with zeros, x_pseudo, x_video.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytracking_et.errors import DatasetError
from pytracking_et.files import reading

# Boxes beyond these are dropped: the loss only needs the nearest look-alikes.
DISTRACTORS = 8
_JOINED = (
    *("x_source", "x_track", "x_clip", "x_category", "x_frame", "x_flavour"),
    *("x_box", "x_distractors", "x_pseudo", "x_video"),
    *("z_source", "z_track", "z_clip", "z_category", "z_frame", "z_flavour"),
)


def pad_boxes(boxes: NDArray, box: NDArray) -> NDArray[np.float32]:
    """The boxes (K, 4) nearest to `box`, padded with zeros to (DISTRACTORS, 4)."""
    padded = np.zeros((DISTRACTORS, 4), np.float32)
    if len(boxes):
        gap = (boxes[:, :2] + boxes[:, 2:] / 2) - (box[:2] + box[2:] / 2)
        near = np.argsort((gap**2).sum(1), kind="stable")[:DISTRACTORS]
        padded[: len(near)] = boxes[near]
    return padded


class FeatureCache:
    """Reads the finished chunks of a cache; `refresh` takes in those finished since.

    Args:
        folder: written by `python -m ltr_et.data.build_features`.
        chunks: read this many chunks only (a run is repeatable while the cache still grows);
            None reads all there are.

    Raises:
        DatasetError: no finished chunk, or fewer than asked for.
    """

    def __init__(self, folder: str | Path, chunks: int | None = None) -> None:
        self.folder = Path(folder)
        self.limit = chunks
        self._paths: list[Path] = []
        self._open: dict[Path, NDArray] = {}
        if not self.refresh():
            raise DatasetError(
                f"no finished chunk at {self.folder}; build features with "
                f"python -m ltr_et.data.build_features --output {self.folder}"
            )
        if chunks is not None and len(self._paths) < chunks:
            raise DatasetError(
                f"{self.folder} has {len(self._paths)} finished chunks, {chunks} were asked for; "
                "wait for build_features or ask for fewer"
            )

    def refresh(self) -> bool:
        """Look for new chunks; True if there were any (row numbers of old ones stay)."""
        paths = sorted(self.folder.glob("chunk-*"))[: self.limit]
        if len(paths) == len(self._paths):
            return False
        self._paths = paths
        parts: dict[str, list[NDArray]] = {name: [] for name in _JOINED}
        place: dict[str, list[NDArray]] = {"x": [], "z": []}
        for number, path in enumerate(paths):
            advice = "delete this chunk and run build_features again"
            with reading(path, DatasetError, advice), np.load(path / "index.npz") as data:
                for name in _JOINED:
                    parts[name].append(data[name])
                for kind, rows in place.items():
                    count = len(data[f"{kind}_source"])
                    rows.append(np.stack([np.full(count, number), np.arange(count)], 1))
                    # Opened now: what is cut short would be found hours later.
                    if len(self._array(path, kind)) != count:
                        raise ValueError(f"{kind}.npy has other rows than the index")
        self.field = {name: np.concatenate(values) for name, values in parts.items()}
        self._place = {kind: np.concatenate(rows) for kind, rows in place.items()}
        return True

    @property
    def chunks(self) -> int:
        """Number of chunks in use."""
        return len(self._paths)

    def __len__(self) -> int:
        return len(self._place["x"])

    def x(self, row: int) -> NDArray[np.float16]:
        """Search feature (96, 16, 16) of a row."""
        return self._feature("x", row)

    def z(self, row: int) -> NDArray[np.float16]:
        """Template feature (96, 8, 8) of a row."""
        return self._feature("z", row)

    def _feature(self, kind: str, row: int) -> NDArray[np.float16]:
        chunk, place = self._place[kind][row]
        return self._array(self._paths[chunk], kind)[place]

    def _array(self, chunk: Path, kind: str) -> NDArray[np.float16]:
        path = chunk / f"{kind}.npy"
        if path not in self._open:
            self._open[path] = np.load(path, mmap_mode="r")
        return self._open[path]
