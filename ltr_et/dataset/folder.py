"""Any folder of videos with boxes.

    ROOT/NAME/*.jpg (or NAME/img/*.jpg)   ROOT/NAME/groundtruth.txt (or groundtruth_rect.txt)
    ROOT/NAME.mp4 (avi, mov, mkv)         ROOT/NAME.txt

One row x, y, w, h per frame, separated by commas, tabs or blanks; NaN or an area of 0 where the
target is absent. Images are taken in the order of the numbers in their names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from typing_extensions import override

from pytracking_et.errors import DatasetError, ImageError
from pytracking_et.files import is_image
from pytracking_et.frames import check_pixels

from .base import BaseDataset, Image, SequenceInfo, read_image, read_numbers, sequence_info

VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm"}
ANNOTATIONS = ("groundtruth.txt", "groundtruth_rect.txt")


@lru_cache(maxsize=256)
def _frames(folder: Path) -> list[Path]:
    images = [path for path in folder.iterdir() if is_image(path.name)]
    return sorted(images, key=lambda path: ([int(n) for n in re.findall(r"\d+", path.stem)], path))


class FolderDataset(BaseDataset):
    """Sequences found under `root`.

    Raises:
        DatasetError: none found.
    """

    def __init__(self, root: str | Path, name: str = "folder") -> None:
        super().__init__(name, root)
        self._annotation: list[Path] = []
        self._media: list[Path] = []
        for path in sorted(self.root.iterdir()):
            texts = [path / text for text in ANNOTATIONS if (path / text).is_file()]
            if path.is_dir() and texts:
                self._add(texts[0], path / "img" if (path / "img").is_dir() else path)
            elif path.suffix.lower() in VIDEOS and path.with_suffix(".txt").is_file():
                self._add(path.with_suffix(".txt"), path)
        if not self._media:
            raise DatasetError(
                f"no sequence under {root}: expected NAME/groundtruth.txt beside images, or "
                "NAME.mp4 with NAME.txt"
            )

    def _add(self, annotation: Path, media: Path) -> None:
        self._annotation.append(annotation)
        self._media.append(media)

    @override
    def get_num_sequences(self) -> int:
        return len(self._media)

    @override
    def get_sequence_info(self, seq_id: int) -> SequenceInfo:
        boxes = read_numbers(self._annotation[seq_id], 4)
        media = self._media[seq_id]
        if media.is_dir() and len(_frames(media)) != len(boxes):
            raise DatasetError(
                f"{self._annotation[seq_id]} has {len(boxes)} rows, {media} "
                f"{len(_frames(media))} images; give one row per image"
            )
        return sequence_info(boxes)

    @override
    def frame_path(self, seq_id: int, frame_id: int) -> Path:
        media = self._media[seq_id]
        return _frames(media)[frame_id] if media.is_dir() else media / f"frame {frame_id}"

    @override
    def track_name(self, seq_id: int) -> str:
        media = self._media[seq_id]
        return media.parent.name if media.name == "img" else media.stem

    @override
    def read_frame(self, seq_id: int, frame_id: int) -> Image:
        media = self._media[seq_id]
        if media.is_dir():
            return read_image(self.frame_path(seq_id, frame_id))
        capture = cv2.VideoCapture(str(media))
        try:
            width = capture.get(cv2.CAP_PROP_FRAME_WIDTH)
            check_pixels(width, capture.get(cv2.CAP_PROP_FRAME_HEIGHT), f"video {media}")
            capture.set(cv2.CAP_PROP_POS_FRAMES, frame_id)
            done, image = capture.read()
        finally:
            capture.release()
        if not done:
            raise ImageError(f"cannot read frame {frame_id} of video {media}")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
