"""The training pack's layout: `video/SOURCE`, `still/SOURCE` and `still/tiny-imagenet`.

    video/SOURCE/TRACK/NNNNN.jpg   video/SOURCE/annotations.csv   track,frame,x,y,w,h[,image]
    video/SOURCE/masks/TRACK/NNNNN.png
    still/SOURCE/NNNNN.jpg         still/SOURCE/annotations.csv   image,category,x,y,w,h
    still/tiny-imagenet/tiny_imagenet.npz                         (webp, offset, box, label, word)

The column `image` is the path inside the source folder where several tracks share a clip's frames.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import override

from pytracking_et.errors import DatasetError
from pytracking_et.files import reading
from pytracking_et.frames import decode_image

from .base import (
    BaseDataset,
    Boxes,
    Image,
    ListedDataset,
    SequenceInfo,
    StillDataset,
    sequence_info,
)


@cache
def source_table() -> dict[str, dict[str, Any]]:
    """Per source of the pack: sampling weight, pseudo flag, categories of its tracks."""
    text = (Path(__file__).parent / "pack.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = json.loads(text)["sources"]
    return table


def is_pseudo(source: str) -> bool:
    """Whether a source's boxes were made by another tracker."""
    return bool(source_table().get(source, {}).get("pseudo", False))


def _class_of(source: str, name: str, otherwise: str) -> str:
    """Class by the source's table (regular expression -> class)."""
    for pattern, label in source_table().get(source, {}).get("category", {}).items():
        found = re.search(pattern, name)
        if found:
            return found.expand(label)
    return otherwise


_BOX = ["x", "y", "w", "h"]


def _read_table(root: Path, names: list[str]) -> pd.DataFrame:
    """A source's annotations: `names` and `image` are text, the box numbers."""
    path = root / "annotations.csv"
    if not path.is_file():
        raise DatasetError(f"no {path.name} in {path.parent}; is this a source of the pack?")
    words, empty = dict.fromkeys([*names, "image"], str), {name: [""] for name in _BOX}
    with reading(path, DatasetError, "it is no table of the pack; copy it again"):
        table = pd.read_csv(path, dtype=words, keep_default_na=False, na_values=empty)
        missing = [name for name in (*names, *_BOX) if name not in table]
        if missing:
            raise DatasetError(f"{path} lacks the columns {missing}; it has {list(table.columns)}")
        # Numbers that are none would be found in the middle of training.
        return table.astype(dict.fromkeys(_BOX, np.float32))


class _TableDataset(ListedDataset):
    """Sequences read from one table with the columns track, clip, number, image, x, y, w, h."""

    table: pd.DataFrame

    def _index(self) -> None:
        groups = self.table.groupby("track", sort=True).indices
        self.sequences = sorted(groups)
        self._rows: list[NDArray[np.intp]] = [np.sort(groups[name]) for name in self.sequences]
        self._box = self.table[_BOX].to_numpy(np.float32)
        self._image: list[str] = self.table["image"].tolist()
        self._number = self.table["number"].to_numpy(np.int64)
        self._same_image: dict[str, NDArray[np.intp]] = dict(self.table.groupby("image").indices)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        return sequence_info(self._box[self._rows[seq_id]])

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        return self.root / self._image[self._rows[seq_id][frame_id]]

    @override
    def frame_number(self, seq_id: int, frame_id: int) -> int:
        return int(self._number[self._rows[seq_id][frame_id]])

    @override
    def others(self, seq_id: int, frame_id: int) -> Boxes:
        row = self._rows[seq_id][frame_id]
        rows = self._same_image[self._image[row]]
        return self._box[rows[rows != row]]


class PackVideo(_TableDataset):
    """One `video/SOURCE` folder."""

    def __init__(self, root: str | Path) -> None:
        super().__init__(Path(root).name, root)
        table = _read_table(self.root, ["track", "frame"])
        if "image" not in table:
            table["image"] = table["track"] + "/" + table["frame"] + ".jpg"
        with reading(self.root / "annotations.csv", DatasetError, "frames are numbers: 00001"):
            table["number"] = table["frame"].astype(int)
        self.table = table.sort_values(["track", "number"]).reset_index(drop=True)
        self._index()
        self._frame: list[str] = self.table["frame"].tolist()

    @override
    def clip_name(self, seq_id: int) -> str:
        folder = re.split(r"[/\\][^/\\]*$", self._image[self._rows[seq_id][0]])
        return folder[0] if len(folder) > 1 else self.name  # frames beside the table: one clip

    @override
    def category(self, seq_id: int) -> str:
        """By the pack's table, from the track's name."""
        return _class_of(self.name, self.track_name(seq_id), "")

    @override
    def mask_path(self, seq_id: int, frame_id: int) -> Path | None:
        frame = self._frame[self._rows[seq_id][frame_id]]
        path = self.root / "masks" / self.track_name(seq_id) / f"{frame}.png"
        return path if path.is_file() else None


class PackStill(_TableDataset):
    """One `still/SOURCE` folder; every box is a sequence of one frame."""

    def __init__(self, root: str | Path) -> None:
        super().__init__(Path(root).name, root)
        table = _read_table(self.root, ["image", "category"])
        order = table.groupby("image").cumcount()
        stem = table["image"].str.rsplit(".", n=1).str[0]
        # a.jpg and a.png are two images, and not two frames of a track.
        alike = table["image"].groupby(stem).transform("nunique") > 1
        table["track"] = stem.where(~alike, table["image"]) + "_" + order.astype(str)
        table["number"] = 0
        self.table = table
        self._index()
        self._category: list[str] = table["category"].tolist()

    @override
    def is_video_sequence(self) -> bool:
        return False

    @override
    def clip_name(self, seq_id: int) -> str:
        return self._image[self._rows[seq_id][0]]

    @override
    def category(self, seq_id: int) -> str:
        """By the pack's table, from the annotation's word; else that word."""
        word = self._category[self._rows[seq_id][0]]
        return _class_of(self.name, word, word)


class TinyImageNet(StillDataset):
    """`still/tiny-imagenet`: 64x64 WebP images in one .npz, one box each."""

    def __init__(self, root: str | Path) -> None:
        super().__init__("tiny-imagenet", root)
        path = self.root / "tiny_imagenet.npz"
        if not path.is_file():
            raise DatasetError(f"no {path.name} in {self.root}; is this a source of the pack?")
        advice = "copy it again"
        with reading(path, DatasetError, advice), np.load(path, allow_pickle=False) as data:
            self._webp = data["webp"]
            self._offset = data["offset"]
            self._class = data["label"]
            self._box = data["box"].astype(np.float32).reshape(len(self._class), 4)
            self._word = data["word"]

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        """A name for messages only: the images lie inside the .npz."""
        return self.root / "tiny_imagenet.npz" / f"{seq_id:05d}.webp"

    @override
    def track_name(self, seq_id: int) -> str:
        return f"{seq_id:05d}"

    @override
    def category(self, seq_id: int) -> str:
        return str(self._word[self._class[seq_id]]).split(",")[0]

    @override
    def read_frame(self, seq_id: int, frame_id: int) -> Image:
        data = self._webp[self._offset[seq_id] : self._offset[seq_id + 1]]
        return decode_image(data.tobytes(), str(self.frame_path(seq_id, frame_id)))


def open_pack(root: str | Path) -> list[BaseDataset]:
    """Every source of a pack, sorted by name.

    Raises:
        DatasetError: neither `video/` nor `still/` holds a source.
    """
    folder = Path(root)
    found: list[BaseDataset] = []
    for path in sorted((folder / "video").glob("*/annotations.csv")):
        found.append(PackVideo(path.parent))
    for path in sorted((folder / "still").glob("*/annotations.csv")):
        found.append(PackStill(path.parent))
    if (folder / "still" / "tiny-imagenet").is_dir():
        found.append(TinyImageNet(folder / "still" / "tiny-imagenet"))
    if not found:
        raise DatasetError(
            f"no video/SOURCE/annotations.csv or still/SOURCE/annotations.csv under {folder}; "
            "give the folder that holds video/ and still/"
        )
    return sorted(found, key=lambda dataset: dataset.name)
