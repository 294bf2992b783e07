"""TrackingNet in its official layout: `TRAIN_K/{anno/VIDEO.txt, frames/VIDEO/0.jpg}`.

Mueller et al., "TrackingNet: A Large-Scale Dataset and Benchmark for Object Tracking in the Wild",
ECCV 2018. Frames are numbered from 0 without padding.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from typing_extensions import override

from pytracking_et.errors import DatasetError

from .base import BaseDataset, SequenceInfo, read_numbers, sequence_info

CHUNKS = range(12)


class TrackingNet(BaseDataset):
    """Training chunks of TrackingNet.

    Args:
        root: folder that holds TRAIN_0 ... TRAIN_11.
        chunks: numbers of the chunks to use; None uses all twelve.

    Raises:
        DatasetError: a chunk has no `anno` folder, or no annotation in it.
    """

    def __init__(self, root: str | Path, chunks: Iterable[int] | None = None) -> None:
        super().__init__("trackingnet", root)
        self.sequences: list[tuple[str, str]] = []
        for number in CHUNKS if chunks is None else chunks:
            folder = self.root / f"TRAIN_{number}"
            names = sorted(path.stem for path in (folder / "anno").glob("*.txt"))
            if not names:
                raise DatasetError(
                    f"TrackingNet: no annotation {folder / 'anno' / 'VIDEO.txt'}; download the "
                    "chunk, or name the chunks you have (chunks=[0, 1, ...])"
                )
            self.sequences += [(folder.name, name) for name in names]

    @override
    def get_num_sequences(self) -> int:
        return len(self.sequences)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        chunk, name = self.sequences[seq_id]
        return sequence_info(read_numbers(self.root / chunk / "anno" / f"{name}.txt", 4))

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        chunk, name = self.sequences[seq_id]
        return self.root / chunk / "frames" / name / f"{frame_id}.jpg"

    @override
    def track_name(self, seq_id: int) -> str:
        return self.sequences[seq_id][1]
