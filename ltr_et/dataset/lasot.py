"""LaSOT in its official layout: `CLASS/CLASS-N/{img/00000001.jpg, groundtruth.txt, ...}`.

Fan et al., "LaSOT: A High-quality Benchmark for Large-scale Single Object Tracking", CVPR 2019.
Boxes are taken as they stand in the files, as pytracking does.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typing_extensions import override

from pytracking_et.errors import DatasetError

from .base import BaseDataset, SequenceInfo, read_numbers, sequence_info


def train_names() -> list[str]:
    """The 1,120 sequences of the official training split."""
    names: list[str] = json.loads((Path(__file__).parent / "lasot_train.json").read_text("utf-8"))
    return names


class Lasot(BaseDataset):
    """LaSOT.

    Args:
        root: folder that holds the class folders.
        split: "train" (official), or None for every sequence found.

    Raises:
        DatasetError: sequences of the split are missing; names the first.
    """

    def __init__(self, root: str | Path, split: str | None = "train") -> None:
        super().__init__("lasot", root)
        if split not in ("train", None):
            raise DatasetError(f"LaSOT has no split {split!r}; choose 'train' or None (all found)")
        if split == "train":
            self.sequences = train_names()
        else:
            found = self.root.glob("*/*/groundtruth.txt")
            self.sequences = sorted(path.parent.name for path in found)
        missing = [name for name in self.sequences if not self.folder(name).is_dir()]
        if missing:
            raise DatasetError(
                f"LaSOT at {root} lacks {len(missing)} of {len(self.sequences)} training "
                f"sequences, first {self.folder(missing[0])}; split=None takes what there is"
            )
        if not self.sequences:
            raise DatasetError(f"no CLASS/CLASS-N/groundtruth.txt under {root}")

    def folder(self, name: str) -> Path:
        """Folder of sequence `name`, e.g. airplane-10."""
        return self.root / name.rsplit("-", 1)[0] / name

    @override
    def get_num_sequences(self) -> int:
        return len(self.sequences)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        folder = self.folder(self.sequences[seq_id])
        boxes = read_numbers(folder / "groundtruth.txt", 4)
        hidden = np.zeros(len(boxes), bool)
        for name in ("full_occlusion.txt", "out_of_view.txt"):
            flags = read_numbers(folder / name)
            if len(flags) != len(boxes):
                raise DatasetError(f"{folder / name}: {len(flags)} flags for {len(boxes)} boxes")
            hidden |= flags > 0
        return sequence_info(boxes, ~hidden)

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        return self.folder(self.sequences[seq_id]) / "img" / f"{frame_id + 1:08d}.jpg"

    @override
    def track_name(self, seq_id: int) -> str:
        return self.sequences[seq_id]

    @override
    def category(self, seq_id: int) -> str:
        return self.sequences[seq_id].rsplit("-", 1)[0]
