"""Crops that int8 ranges are taken from: template and search pairs of annotated tracks.

Folder layout: `annotations.csv` in any subfolder with columns track, frame, x, y, w, h (pixels)
and optionally `image`, the frame's path inside the subfolder; otherwise the frame is
`<track>/<frame, 5 digits>.jpg`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..files import reading
from ..frames import read_image
from ..tracking.crop import context_side, crop, mean_color, round_half_away, search_side
from ..tracking.image import Image
from ..tracking.parameters import Parameters

# Search crops as the tracker meets them: centre off by up to this many crop pixels and the size
# wrong by up to this share (half of what training uses: these are the frames of a good track).
SHIFT, SCALE = 32, 0.09


@dataclass(frozen=True)
class Pairs:
    """Crops: templates (P, 127, 127, 3) and searches (P, 256, 256, 3), uint8 RGB."""

    templates: NDArray[np.uint8]
    searches: NDArray[np.uint8]


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
                except (KeyError, TypeError, ValueError) as error:
                    raise DatasetError(
                        f"{table}, line {number}: {type(error).__name__} {error}; the columns are "
                        "track, frame, x, y, w, h (pixels) and optionally image"
                    ) from error
                if frame is not None:
                    tracks[str(table.parent), row["track"]].append(frame)
    return [frames for _, frames in sorted(tracks.items()) if len(frames) > 1]


def _frame(folder: Path, row: Mapping[str, str]) -> _Frame | None:
    """A row of the table; None where the target is absent (NaN, or a box without area)."""
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
) -> Pairs:
    """Cut pairs from the tracks in a folder, spread evenly over them.

    Args:
        folder: searched with all its subfolders.
        count: of pairs.
        search_size: side of the search crops; the tracker's usual one by default.
        seed: of frames, shifts and scales.

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
    return Pairs(np.stack(templates), np.stack(searches))
