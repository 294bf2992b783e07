"""COCO: `annotations/instances_train2017.json` and `images/train2017`; every box a sequence.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from pytracking_et.errors import DatasetError
from pytracking_et.files import read_json, reading

from .base import Boxes, StillDataset

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
        self._box = np.array([row["bbox"] for row in rows], np.float32)
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
