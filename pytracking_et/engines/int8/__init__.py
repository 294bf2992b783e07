"""Precision int8: ranges that activations are rounded to, and the crops they are taken from.

Neither torch nor ONNX is needed; `quantise` makes graphs with them.

Ranges are measured on annotated frames (`quantise.measure`) and belong to one weight file. Shipped
ones lie beside it, `et_tracker.int8.json` beside `et_tracker.safetensors`; those that `ettrack
export --precision int8 --calibration FOLDER` measures are kept in the cache, and come first.

Folder layout of annotated tracks: `annotations.csv` in any subfolder with columns track, frame, x,
y, w, h (pixels) and optionally `image`, the frame's path inside the subfolder; otherwise the frame
is `<track>/<frame, 5 digits>.jpg`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DatasetError, EngineError
from ...files import atomic_open, read_json, reading
from ...frames import read_image
from ...tracking.crop import context_side, crop, mean_color, round_half_away, search_side
from ...tracking.image import Image
from ...tracking.parameters import Parameters
from .. import cache
from ..catalogue import Model

# Search crops as the tracker meets them: centre off by up to this many crop pixels and the size
# wrong by up to this share (half of what training uses: these are the frames of a good track).
SHIFT, SCALE = 32, 0.09


@dataclass(frozen=True)
class _Frame:
    path: Path
    box: tuple[float, float, float, float]


def _tracks(folder: Path) -> list[list[_Frame]]:
    tracks: dict[tuple[str, str], list[_Frame]] = defaultdict(list)
    for table in sorted(folder.rglob("annotations.csv")):
        # Excel puts a mark in front of the first column's name.
        with (
            reading(table, DatasetError, "it must be a table in UTF-8 with commas"),
            table.open(newline="", encoding="utf-8-sig") as stream,
        ):
            for number, row in enumerate(csv.DictReader(stream), 2):
                if "track" not in row:
                    break
                try:
                    frame = _frame(table.parent, row)
                except (KeyError, TypeError, ValueError, OverflowError) as error:
                    raise DatasetError(
                        f"{table}, line {number}: {type(error).__name__} {error}; the columns are "
                        "track, frame, x, y, w, h (pixels) and optionally image"
                    ) from error
                if frame is not None:
                    tracks[str(table.parent), row["track"]].append(frame)
    return [frames for _, frames in sorted(tracks.items()) if len(frames) > 1]


def _frame(folder: Path, row: Mapping[str, str]) -> _Frame | None:
    """A row of the table; None where the target is absent (NaN, or a box without area)."""
    if row["track"] is None:
        raise ValueError("the row has too few columns")
    name = row.get("image") or f"{row['track']}/{int(row['frame']):05d}.jpg"
    x, y, w, h = (float(row[key]) for key in "xywh")
    if not np.isfinite((x, y, w, h)).all() or w <= 0 or h <= 0:
        return None
    return _Frame(folder / name, (x, y, w, h))


def _crop(
    frame: _Frame, size: int, settings: Parameters, shift: NDArray[np.float64], scale: float
) -> Image:
    image = read_image(frame.path)
    x, y, w, h = frame.box
    side = context_side(w, h, settings.context) * scale
    per_pixel = side / settings.template_size
    center = (x + w / 2 + float(shift[0]) * per_pixel, y + h / 2 + float(shift[1]) * per_pixel)
    if size != settings.template_size:
        side = search_side(side, settings.template_size, size)
    return crop(image, center, max(round_half_away(side), 1), size, mean_color(image))


def pairs(
    folder: str | Path, count: int = 192, search_size: int | None = None, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut pairs from the tracks in a folder, spread evenly over them.

    Args:
        folder: searched with all its subfolders.
        count: of pairs.
        search_size: side of the search crops; the tracker's usual one by default.
        seed: of frames, shifts and scales.

    Returns:
        Templates (P, 127, 127, 3) and searches (P, 256, 256, 3), uint8 RGB.

    Raises:
        DatasetError: no tracks.
        ImageError: a frame that cannot be read.
    """
    tracks = _tracks(Path(folder))
    if not tracks:
        raise DatasetError(
            f"no tracks below {folder}; it needs annotations.csv with the columns "
            "track,frame,x,y,w,h"
        )
    generator, settings = np.random.RandomState(seed), Parameters()
    order = generator.permutation(len(tracks))
    templates, searches = [], []
    for index in range(count):
        frames = tracks[order[index % len(order)]]
        first, second = generator.choice(len(frames), 2, replace=False)
        shift = generator.uniform(-SHIFT, SHIFT, 2)
        scale = float(1 + generator.uniform(-SCALE, SCALE))
        here = np.zeros(2)
        templates.append(_crop(frames[first], settings.template_size, settings, here, 1.0))
        size = search_size or settings.search_size
        searches.append(_crop(frames[second], size, settings, shift, scale))
    return np.stack(templates), np.stack(searches)


@dataclass(frozen=True)
class Ranges:
    """Lowest and highest value of tensors.

    Attributes:
        weights_sha256: of the weight file whose graphs were measured.
        source: what they were measured on, for the reader of the file.
        values: tensor of the search graph -> (lowest, highest).
    """

    weights_sha256: str
    source: str
    values: Mapping[str, tuple[float, float]]

    @property
    def digest(self) -> str:
        """Hash of the values."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write a JSON file, one tensor a line."""
        fields = asdict(self)
        lines = (f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in fields.pop("values").items())
        head = json.dumps(fields, indent=2).removesuffix("\n}")
        with atomic_open(path) as stream:
            stream.write(f'{head},\n  "values": {{\n' + ",\n".join(lines) + "\n  }\n}\n")

    @staticmethod
    def read(path: Path) -> Ranges:
        """Read what `write` wrote.

        Raises:
            EngineError: no such file, or none of ours.
        """
        advice = (
            "delete these int8 ranges and measure again: ettrack export --precision int8 "
            "--calibration FOLDER --output FOLDER"
        )
        with reading(path, EngineError, advice):
            fields = read_json(path, EngineError, advice)
            values = {name: (float(a), float(b)) for name, (a, b) in fields["values"].items()}
            return Ranges(str(fields["weights_sha256"]), str(fields["source"]), values)


def range_files(model: Model) -> tuple[Path, Path]:
    """Where ranges of a model may lie: the cache's, and beside the weight file."""
    kept = cache.engines_folder() / "ranges" / f"{model.digest[:16]}.json"
    return kept, model.path.with_suffix(".int8.json")


def find_ranges(model: Model) -> Ranges | None:
    """Ranges of a model's weights; None where nobody measured any.

    Raises:
        EngineError: a file of ranges is damaged.
    """
    for path in range_files(model):
        if path.is_file():
            ranges = Ranges.read(path)
            if ranges.weights_sha256 == model.digest:
                return ranges
    return None


def keep_ranges(ranges: Ranges, model: Model) -> Path:
    """Write ranges where `find_ranges` looks first; returns the file."""
    path, _ = range_files(model)
    ranges.write(path)
    return path
