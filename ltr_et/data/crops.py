"""Crop store: one small image around every labelled object, so that training reads no full frame.

A store is a folder with two files per source: `SOURCE.bin` (JPEG crops and PNG masks one after the
other) and `SOURCE.npz` (the index). A crop is centred on its object and scaled so that the context
square s_z = sqrt((w + c)(h + c)), c = (w + h) / 2, of the tracker covers TEMPLATE pixels; outside
the image lies the image's mean colour, as in the tracker.

Coordinates are pixel edges: a crop of width W covers [0, W) and its object's centre is at W / 2.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pytracking_et.errors import DatasetError
from pytracking_et.files import atomic_path, move, reading
from pytracking_et.frames import decode_image

from ..dataset.base import Boxes, Image, decode_mask

TEMPLATE = 128
# The recipe's store is 416 wide; 480 keeps corners of far-shifted, zoomed-out views inside it.
WIDTH = 480
CONTEXT = 0.5
JPEG_QUALITY = 90

# Fields of the index, one value per crop. Tracks of one clip share frames; `pseudo`: box made by
# another tracker; `scale`: crop pixels per image pixel; `box`, `extent` (of the image inside the
# crop) and `others` (labelled objects that show, K of them) are x, y, w, h in crop pixels.
FIELDS = [
    "track", "clip", "category", "frame", "video", "pseudo", "held_out", "offset", "size",
    "mask_offset", "mask_size", "box", "scale", "origin", "extent", "others",
]  # fmt: skip


def context_size(box: NDArray) -> float:
    """Side in image pixels of the template's square around a box (docs/method.md, section 6.1)."""
    w, h = float(box[2]), float(box[3])
    margin = CONTEXT * (w + h)
    return float(np.sqrt((w + margin) * (h + margin)))


def crop_geometry(box: NDArray, width: int = WIDTH) -> tuple[float, NDArray[np.float64]]:
    """Scale (crop pixels per image pixel) and image position (2,) of the crop's top-left corner."""
    scale = TEMPLATE / context_size(box)
    centre = np.asarray(box[:2], np.float64) + np.asarray(box[2:], np.float64) / 2
    return scale, centre - width / 2 / scale


def cut(image: Image, scale: float, origin: NDArray, width: int, fill: Any) -> Image:
    """Square piece of an image: edge coordinate u of the result shows image point origin + u/scale.

    Bilinear without prefilter, as the tracker's own resize, so aliasing is the same at both times.
    """
    matrix = np.array([[1 / scale, 0, origin[0]], [0, 1 / scale, origin[1]]])
    # Edge to index coordinates: pixel i covers [i, i + 1), its centre is i + 1/2.
    matrix[:, 2] += 0.5 / scale - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(  # type: ignore[return-value]
        image, matrix, (width, width), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )


def map_boxes(boxes: NDArray, scale: float, origin: NDArray) -> NDArray[np.float32]:
    """Boxes (..., 4) of the image in crop pixels."""
    moved = np.array(boxes, np.float64)
    moved[..., :2] -= origin
    return (moved * scale).astype(np.float32)


def visible_boxes(boxes: Boxes, size: int) -> Boxes:
    """Those whose centre lies in a square image of this side."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    return boxes[((centre > 0) & (centre < size)).all(1)]


class CropWriter:
    """Writes one source of a store; nothing is visible until `finish`."""

    def __init__(self, folder: str | Path, source: str, width: int = WIDTH) -> None:
        self.folder = Path(folder)
        self.source = source
        self.width = width
        self._rows: list[dict[str, Any]] = []
        self.folder.mkdir(parents=True, exist_ok=True)
        # Not atomic_path: written over minutes, and a dead run's leftover is simply overwritten.
        self._partial = self.folder / f".{source}.bin.partial"
        self._stream: IO[bytes] = self._partial.open("wb")
        self._position = 0

    def add(
        self, image: Image, mean: tuple[int, ...], box: NDArray, others: NDArray,
        mask: NDArray[np.uint8] | None, **names: Any,
    ) -> None:  # fmt: skip
        """Cut and store the crop of `box` (x, y, w, h in pixels of the RGB image)."""
        scale, origin = crop_geometry(box, self.width)
        crop = cut(image, scale, origin, self.width, mean)
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)[1]
        offset, size = self._write(jpeg)
        mask_offset, mask_size = 0, 0
        if mask is not None:
            inside = cut(mask, scale, origin, self.width, 0)
            if inside.max() > 0:
                mask_offset, mask_size = self._write(cv2.imencode(".png", inside)[1])
        height, width = image.shape[:2]
        row = {
            "box": map_boxes(box, scale, origin), "scale": scale, "origin": origin,
            "extent": map_boxes(np.array([0, 0, width, height]), scale, origin),
            "others": visible_boxes(map_boxes(others, scale, origin), self.width),
            "offset": offset, "size": size, "mask_offset": mask_offset, "mask_size": mask_size,
        }  # fmt: skip
        self._rows.append(row | names)

    def _write(self, data: NDArray[np.uint8]) -> tuple[int, int]:
        start = self._position
        self._position += self._stream.write(data.tobytes())
        return start, self._position - start

    def finish(self, **meta: Any) -> int:
        """Put the packed file and its index in place; returns the number of crops."""
        self._stream.close()
        move(self._partial, self.folder / f"{self.source}.bin")
        rows = self._rows
        arrays: dict[str, NDArray] = {
            name: np.array([row[name] for row in rows]) for name in FIELDS if name != "others"
        }
        counts = [len(row["others"]) for row in rows]
        arrays["others_start"] = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        stacked = [row["others"] for row in rows]
        arrays["others"] = np.concatenate([np.zeros((0, 4), np.float32), *stacked])
        meta |= {"source": self.source, "width": self.width, "template": TEMPLATE}
        arrays["meta"] = np.array(json.dumps(meta))
        with atomic_path(self.folder / f"{self.source}.npz") as path:
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
        return len(rows)


_REBUILD = "delete this source of the crop store and build it again"


def indexes(folder: Path) -> list[Path]:
    """Indexes of the finished sources of a store, by name."""
    # Those that a process is writing, or was when it died, begin with a dot.
    return sorted(path for path in folder.glob("*.npz") if not path.name.startswith("."))


def read_meta(index: Path) -> dict[str, Any]:
    """`width` of the crops of one source in pixels, `held_out_clips`, and what else was stored.

    Args:
        index: its `.npz`.

    Raises:
        DatasetError: that file is no index.
    """
    with reading(index, DatasetError, _REBUILD), np.load(index) as data:
        meta: dict[str, Any] = json.loads(str(data["meta"]))
        return meta | {"width": int(meta["width"])}


def _check_packed(packed: Path, index: Any) -> None:
    """Whether the file of crops reaches as far as its index says: copies are interrupted."""
    ends = [index["offset"] + index["size"], index["mask_offset"] + index["mask_size"]]
    wanted, there = int(np.max(ends)), packed.stat().st_size if packed.is_file() else 0
    if there < wanted:
        raise DatasetError(
            f"{packed} has {there} bytes, its index tells of {wanted}; copy it again, or "
            f"delete {packed.with_suffix('.npz').name} and build it again"
        )


class CropStore:
    """Reads a store: `len(store)` crops, numbered through its sources in name order.

    Safe to pickle to a spawned worker: files are opened where they are first read.

    Attributes:
        source: (N,) place in `sources` of each crop's source.
        field: (N, ...) values of each of FIELDS but `others`.

    Args:
        folder: written by `python -m ltr_et.data.build_crops`.
        held_out: True for validation crops only, False for training crops only, None for both.

    Raises:
        DatasetError: no finished source in the folder, none with a crop, one whose files do not
            go together, or sources of different widths.
    """

    def __init__(self, folder: str | Path, held_out: bool | None = False) -> None:
        self.folder = Path(folder)
        paths = indexes(self.folder)
        if not paths:
            raise DatasetError(
                f"no crop store at {self.folder}; build one with "
                f"python -m ltr_et.data.build_crops --source DATA --output {self.folder}"
            )
        self.sources = [path.stem for path in paths]
        self._load(paths, held_out)
        self._files: dict[tuple[int, int], Any] = {}

    def _load(self, paths: list[Path], held_out: bool | None) -> None:
        parts: dict[str, list[NDArray]] = {name: [] for name in FIELDS if name != "others"}
        source, start, others = [], [], []
        base = 0
        widths = {path.stem: read_meta(path)["width"] for path in paths}
        self.width = widths[paths[0].stem]
        if len(set(widths.values())) > 1:
            raise DatasetError(
                f"crops of different widths in {self.folder}: {widths}; delete those of one width "
                "and build them again"
            )
        for number, path in enumerate(paths):
            with reading(path, DatasetError, _REBUILD), np.load(path) as data:
                if not len(data["size"]):
                    continue  # a source without a box that can be used
                _check_packed(path.with_suffix(".bin"), data)
                flags = data["held_out"].astype(bool)
                keep = np.flatnonzero(
                    np.ones_like(flags) if held_out is None else flags == held_out
                )
                for name in parts:
                    parts[name].append(data[name][keep])
                bounds = data["others_start"]
                start.append(np.stack([bounds[:-1], bounds[1:]], 1)[keep] + base)
                others.append(data["others"])
                base += len(data["others"])
                source.append(np.full(len(keep), number, np.int16))
        if not source:
            raise DatasetError(
                f"the crop store {self.folder} holds no crop: no box of {self.sources} could be "
                "used; boxes are x, y, w, h in pixels"
            )
        self.source = np.concatenate(source)
        self._others_start = np.concatenate(start)
        self._others = np.concatenate(others)
        self.field = {name: np.concatenate(values) for name, values in parts.items()}

    def __len__(self) -> int:
        return len(self.source)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def others(self, index: int) -> Boxes:
        """Boxes (K, 4) of the other labelled objects that show in crop `index`."""
        first, last = self._others_start[index]
        return self._others[first:last]

    def clip_key(self, index: int) -> str:
        """ "source/clip": what shares frames with crop `index`."""
        return f"{self.sources[self.source[index]]}/{self.field['clip'][index]}"

    def image(self, index: int) -> Image:
        """Crop `index` as width x width x 3 uint8 RGB.

        Raises:
            ImageError: the stored bytes do not decode.
        """
        data = self._read(index, "offset", "size")
        return decode_image(data.tobytes(), f"{self.sources[self.source[index]]}.bin, crop {index}")

    def mask(self, index: int) -> NDArray[np.uint8] | None:
        """Mask of the object (width x width uint8, 0..255), or None.

        Raises:
            ImageError: the stored bytes do not decode.
        """
        if not self.field["mask_size"][index]:
            return None
        data = self._read(index, "mask_offset", "mask_size")
        return decode_mask(data, f"{self.sources[self.source[index]]}.bin, crop {index}")

    def _read(self, index: int, offset: str, size: str) -> NDArray[np.uint8]:
        source = int(self.source[index])
        # Keyed by process: a forked worker must not share its parent's file position.
        key = (os.getpid(), source)
        if key not in self._files:
            self._files[key] = (self.folder / f"{self.sources[source]}.bin").open("rb")
        stream = self._files[key]
        stream.seek(int(self.field[offset][index]))
        return np.frombuffer(stream.read(int(self.field[size][index])), np.uint8)
