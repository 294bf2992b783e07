"""Training sets in their official layouts, boxes as they stand in the files, as pytracking does.

LaSOT: `CLASS/CLASS-N/{img/00000001.jpg, groundtruth.txt, ...}` (Fan et al., CVPR 2019).
GOT-10k: `train/{list.txt, SEQ/{00000001.jpg, groundtruth.txt, ...}}` (Huang et al., TPAMI 2021).
Its splits are pytracking's: train + val are all 9,335 sequences of the train folder; vottrain and
votval leave out the 1,000 whose use VOT forbids.
TrackingNet: `TRAIN_K/{anno/VIDEO.txt, frames/VIDEO/0.jpg}` (Mueller et al., ECCV 2018); frames are
numbered from 0 without padding.
COCO: `annotations/instances_train2017.json`, `images/train2017`; every box a sequence (Lin et al.,
ECCV 2014).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from pytracking_et.boxtables import read_visible
from pytracking_et.errors import DatasetError
from pytracking_et.evaluation.datasets.layouts import package_json
from pytracking_et.files import read_json, reading

from .base import Boxes, ListedDataset, SequenceInfo, StillDataset, read_numbers, sequence_info

log = logging.getLogger(__name__)


class Lasot(ListedDataset):
    """LaSOT.

    Args:
        root: folder that holds the class folders.
        split: "train" (official: 1,120 sequences), or None for every sequence found.

    Raises:
        DatasetError: sequences of the split are missing; names the first.
    """

    def __init__(self, root: str | Path, split: str | None = "train") -> None:
        super().__init__("lasot", root)
        if split not in ("train", None):
            raise DatasetError(f"LaSOT has no split {split!r}; choose 'train' or None (all found)")
        if split == "train":
            self.sequences = list(package_json("lasot_train.json"))
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
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        folder = self.folder(self.sequences[seq_id])
        boxes = read_numbers(folder / "groundtruth.txt", 4)
        paths = [folder / "full_occlusion.txt", folder / "out_of_view.txt"]
        visible = read_visible(paths, DatasetError)
        if len(visible) != len(boxes):
            raise DatasetError(f"{paths[0]}: {len(visible)} flags for {len(boxes)} boxes")
        return sequence_info(boxes, visible)

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        return self.folder(self.sequences[seq_id]) / "img" / f"{frame_id + 1:08d}.jpg"

    @override
    def category(self, seq_id: int) -> str:
        return self.sequences[seq_id].rsplit("-", 1)[0]


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


class Got10k(ListedDataset):
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
    def category(self, seq_id: int) -> str:
        path = self.root / self.sequences[seq_id] / "meta_info.ini"
        if not path.is_file():
            return ""
        for line in path.read_text("utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "object_class":
                return value.strip()
        return ""


CHUNKS = range(12)


class TrackingNet(ListedDataset):
    """Training chunks of TrackingNet.

    Args:
        root: folder that holds TRAIN_0 ... TRAIN_11.
        chunks: numbers of the chunks to use; None uses those of the twelve that are there, and
            tells which.

    Raises:
        DatasetError: a chunk has no annotation in its `anno` folder, or no chunk is there.
    """

    def __init__(self, root: str | Path, chunks: Iterable[int] | None = None) -> None:
        super().__init__("trackingnet", root)
        self.sequences, self._folders = [], []
        if chunks is None:
            chunks = [n for n in CHUNKS if (self.root / f"TRAIN_{n}").is_dir()]
            if not chunks:
                raise DatasetError(f"TrackingNet: none of TRAIN_0 to TRAIN_11 is in {self.root}")
            log.info("TrackingNet: chunks %s of 12", ", ".join(map(str, chunks)))
        for number in chunks:
            folder = self.root / f"TRAIN_{number}"
            names = sorted(path.stem for path in (folder / "anno").glob("*.txt"))
            if not names:
                raise DatasetError(
                    f"TrackingNet: no annotation {folder / 'anno' / 'VIDEO.txt'}; download the "
                    "chunk again"
                )
            self.sequences += names
            self._folders += [folder] * len(names)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        path = self._folders[seq_id] / "anno" / f"{self.sequences[seq_id]}.txt"
        return sequence_info(read_numbers(path, 4))

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        return self._folders[seq_id] / "frames" / self.sequences[seq_id] / f"{frame_id}.jpg"


# Smaller objects give templates of a few pixels.
MINIMUM_BOX = 12.0


class Coco(StillDataset):
    """COCO detection boxes as one-frame sequences; crowds and tiny boxes are left out.

    Args:
        root: folder with `annotations` and `images`.
        version: "2014" or "2017".
        split: "train" or "val".

    Raises:
        DatasetError: the annotation file is missing or is not COCO's.
    """

    def __init__(self, root: str | Path, version: str = "2017", split: str = "train") -> None:
        super().__init__("coco", root)
        path = self.root / "annotations" / f"instances_{split}{version}.json"
        advice = "it is not a COCO annotation file; download it again"
        with reading(path, DatasetError, advice):
            content = read_json(path, DatasetError, advice)
            self._images = self.root / "images" / f"{split}{version}"
            self._file = {row["id"]: row["file_name"] for row in content["images"]}
            self._name = {row["id"]: row["name"] for row in content["categories"]}
            rows = [row for row in content["annotations"] if not row.get("iscrowd", 0)]
            rows = [row for row in rows if min(row["bbox"][2:]) >= MINIMUM_BOX]
            if not rows:
                raise DatasetError(f"{path}: no box of at least {MINIMUM_BOX:g} px on both sides")
            self._keep(rows)
            # Asked for in training, hours later; a KeyError here says which is missing.
            for image, kind in zip(self._image, self._class, strict=True):
                _ = self._file[int(image)], self._name[kind]

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        self._box = np.array([row["bbox"] for row in rows], np.float32).reshape(len(rows), 4)
        self._image = np.array([row["image_id"] for row in rows], np.int64)
        self._class = [row["category_id"] for row in rows]
        self._id = [row["id"] for row in rows]
        order = np.argsort(self._image, kind="stable")
        images, first = np.unique(self._image[order], return_index=True)
        groups: list[NDArray[np.intp]] = np.split(order, first[1:])
        self._same_image = dict(zip(images.tolist(), groups, strict=True))

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        return self._images / self._file[int(self._image[seq_id])]

    @override
    def track_name(self, seq_id: int) -> str:
        return str(self._id[seq_id])

    @override
    def clip_name(self, seq_id: int) -> str:
        return str(self._file[int(self._image[seq_id])])

    @override
    def category(self, seq_id: int) -> str:
        return str(self._name[self._class[seq_id]])

    @override
    def others(self, seq_id: int, frame_id: int) -> Boxes:
        rows = self._same_image[int(self._image[seq_id])]
        return self._box[rows[rows != seq_id]]
