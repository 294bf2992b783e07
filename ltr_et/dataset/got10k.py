"""GOT-10k in its official layout: `train/{list.txt, SEQ/{00000001.jpg, groundtruth.txt, ...}}`.

Huang et al., "GOT-10k: A Large High-Diversity Benchmark for Generic Object Tracking in the Wild",
TPAMI 2021. The splits are pytracking's: train + val are all 9,335 sequences of the train folder;
vottrain and votval leave out the 1,000 whose use VOT forbids.
"""

from __future__ import annotations

import json
from pathlib import Path

from typing_extensions import override

from pytracking_et.errors import DatasetError

from .base import BaseDataset, SequenceInfo, read_numbers, sequence_info

# list.txt of the official train folder; a split's numbers are places in it.
SEQUENCES = 9335


def split_indices(split: str) -> list[int]:
    """Places in list.txt (0-based) of a split: train, val, vottrain or votval.

    Raises:
        DatasetError: no such split.
    """
    splits = json.loads((Path(__file__).parent / "got10k_splits.json").read_text("utf-8"))
    if split not in splits:
        raise DatasetError(f"GOT-10k has no split {split!r}; choose one of {', '.join(splits)}")
    found: list[int] = splits[split]
    return found


class Got10k(BaseDataset):
    """GOT-10k's training sequences.

    Args:
        root: the folder `train`, with list.txt.
        split: "vottrain", "votval", "train", "val", or None for every sequence of list.txt.

    Raises:
        DatasetError: no list.txt, or one that is not the official list when a split is asked for.
    """

    def __init__(self, root: str | Path, split: str | None = "vottrain") -> None:
        super().__init__("got10k", root)
        try:
            names = (self.root / "list.txt").read_text("utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(
                f"GOT-10k: cannot read {self.root / 'list.txt'} ({error}); "
                "root is the folder `train` itself"
            ) from error
        if split is not None:
            indices = split_indices(split)
            if len(names) != SEQUENCES:
                raise DatasetError(
                    f"GOT-10k: {self.root / 'list.txt'} has {len(names)} names, the official one "
                    f"{SEQUENCES}; split {split!r} needs that, split=None takes what is listed"
                )
            names = [names[index] for index in indices]
        self.sequences = names

    @override
    def get_num_sequences(self) -> int:
        return len(self.sequences)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        folder = self.root / self.sequences[seq_id]
        boxes = read_numbers(folder / "groundtruth.txt", 4)
        absent = read_numbers(folder / "absence.label")
        # 0: not visible at all, ..., 8: wholly visible.
        cover = read_numbers(folder / "cover.label")
        if not len(absent) == len(cover) == len(boxes):
            raise DatasetError(
                f"{folder}: {len(boxes)} boxes, {len(absent)} rows in absence.label, "
                f"{len(cover)} in cover.label"
            )
        return sequence_info(boxes, (absent == 0) & (cover > 0))

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        return self.root / self.sequences[seq_id] / f"{frame_id + 1:08d}.jpg"

    @override
    def track_name(self, seq_id: int) -> str:
        return self.sequences[seq_id]

    @override
    def category(self, seq_id: int) -> str:
        path = self.root / self.sequences[seq_id] / "meta_info.ini"
        if not path.is_file():
            return ""
        for line in path.read_text("utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "object_class":
                return value.strip()
        return ""
