"""What every training data set offers, in the shape of pytracking's ltr data sets.

A data set is a list of sequences (one target each); a sequence is a list of frames with a box.
Still images are sequences of one frame. Boxes are (x, y, w, h) float32 in pixels, 0-based.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from pytracking_et.boxtables import read_table
from pytracking_et.errors import DatasetError, ImageError
from pytracking_et.frames import Image, read_image

Boxes = NDArray[np.float32]

# A target thinner than this carries no appearance: it is a few blurred pixels after compression.
MINIMUM_SIDE = 4.0


class SequenceInfo(TypedDict):
    """Annotation of one sequence of N frames."""

    bbox: Boxes
    valid: NDArray[np.bool_]
    visible: NDArray[np.bool_]


class BaseDataset(ABC):
    """A set of annotated sequences.

    Args:
        name: what logs and samplers call this set.
        root: folder of the set in its official layout.

    Raises:
        DatasetError: `root` is not a folder.
    """

    def __init__(self, name: str, root: str | Path) -> None:
        self.name = name
        self.root = Path(root)
        if not self.root.is_dir():
            raise DatasetError(
                f"training set {name}: no folder at {self.root}; name the folder that holds it"
            )

    def get_name(self) -> str:
        """Name of the set."""
        return self.name

    def is_video_sequence(self) -> bool:
        """Whether sequences have more than one frame."""
        return True

    @abstractmethod
    def get_num_sequences(self) -> int:
        """Number of sequences."""

    @abstractmethod
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        """Boxes (N, 4), valid (N,) and visible (N,) of sequence `seq_id`."""

    @abstractmethod
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        """Image file of frame `frame_id` (0-based row of the annotation)."""

    def frame_number(self, seq_id: int, frame_id: int) -> int:
        """Number of that frame in the source video (differs from the row in subsampled sets)."""
        return frame_id

    def track_name(self, seq_id: int) -> str:
        """Name of the sequence, unique within the set."""
        return str(seq_id)

    def clip_name(self, seq_id: int) -> str:
        """Name of the video or image it comes from; sequences of one clip share frames."""
        return self.track_name(seq_id)

    def category(self, seq_id: int) -> str:
        """Class of the target, or "" where the set names none."""
        return ""

    def others(self, seq_id: int, frame_id: int) -> Boxes:
        """Boxes (K, 4) of the other labelled objects in that frame."""
        return np.zeros((0, 4), np.float32)

    def mask_path(self, seq_id: int, frame_id: int) -> Path | None:
        """File of the target's mask (non-zero inside, size of the frame), if there is one."""
        return None

    def mask(self, seq_id: int, frame_id: int, frame: Image) -> NDArray[np.bool_] | None:
        """Where the target is in that frame (H, W), if its mask is known.

        Raises:
            ImageError: the file does not decode, or is of another size than the frame.
        """
        path = self.mask_path(seq_id, frame_id)
        if path is None:
            return None
        mask = decode_mask(np.fromfile(path, np.uint8), path)
        if mask.shape != frame.shape[:2]:
            sizes = [f"{shape[1]} x {shape[0]}" for shape in (mask.shape, frame.shape)]
            raise ImageError(f"mask {path} is of {sizes[0]} pixels, its frame of {sizes[1]}")
        return np.asarray(mask > 0)

    def read_frame(self, seq_id: int, frame_id: int) -> Image:
        """Frame as HxWx3 uint8 RGB."""
        return read_image(self.frame_path(seq_id, frame_id))

    def get_frames(
        self, seq_id: int, frame_ids: Sequence[int], anno: SequenceInfo | None = None
    ) -> tuple[list[Image], dict[str, NDArray], dict[str, str]]:
        """Frames (HxWx3 uint8 RGB), their annotation rows, and meta data of the sequence."""
        info = anno if anno is not None else self.get_sequence_info(seq_id)
        rows = list(frame_ids)
        frames = [self.read_frame(seq_id, row) for row in rows]
        picked: dict[str, NDArray] = {
            "bbox": info["bbox"][rows],
            "valid": info["valid"][rows],
            "visible": info["visible"][rows],
        }
        meta = {"object_class_name": self.category(seq_id), "track": self.track_name(seq_id)}
        return frames, picked, meta

    def __len__(self) -> int:
        return self.get_num_sequences()


class ListedDataset(BaseDataset):
    """A data set with a list of the names of its sequences, which is set by the subclass."""

    sequences: list[str]

    @override
    def get_num_sequences(self) -> int:
        return len(self.sequences)

    @override
    def track_name(self, seq_id: int) -> str:
        return self.sequences[seq_id]


class StillDataset(BaseDataset):
    """A data set of images: every box is a sequence of one frame.

    Attributes:
        _box: (N, 4) float32 x, y, w, h in pixels, set by the subclass.
    """

    _box: NDArray[np.float32]

    @override
    def is_video_sequence(self) -> bool:
        return False

    @override
    def get_num_sequences(self) -> int:
        return len(self._box)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        return sequence_info(self._box[seq_id])


def decode_mask(data: NDArray[np.uint8], name: object) -> NDArray[np.uint8]:
    """Encoded gray image to (H, W).

    Raises:
        ImageError: it does not decode; quotes `name`.
    """
    # OpenCV raises an error of its own for no data at all.
    mask = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    if mask is None:
        raise ImageError(f"mask {name} cannot be decoded; is it truncated?")
    return np.asarray(mask, np.uint8)


def sequence_info(bbox: NDArray, visible: NDArray | None = None) -> SequenceInfo:
    """Annotation with `valid` where the box is finite and at least MINIMUM_SIDE on both sides."""
    boxes = np.asarray(bbox, np.float32).reshape(-1, 4)
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(boxes).all(1))
    with np.errstate(invalid="ignore"):
        valid &= (boxes[:, 2:] >= MINIMUM_SIDE).all(1)
    seen = valid.copy() if visible is None else valid & np.asarray(visible, bool)
    return {"bbox": boxes, "valid": valid, "visible": seen}


def read_numbers(path: str | Path, columns: int | None = None) -> NDArray[np.float64]:
    """Rows of numbers, in the dialect of `pytracking_et.boxtables`.

    Args:
        path: text file.
        columns: expected numbers per row; None flattens the file to one vector.

    Raises:
        DatasetError: missing or empty file, a word that is no number, or rows of another length.
    """
    rows = read_table(path, columns, DatasetError)
    return rows.reshape(-1) if columns is None else rows
