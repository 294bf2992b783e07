"""Boxes drawn over frames: film strips of a sequence, its IoU over time."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..frames import read_image
from .metrics import Array

Image = NDArray[np.uint8]


def read_frame(path: str | PathLike[str]) -> Image:
    """Read a frame as H x W x 3 uint8 BGR, as OpenCV draws and writes.

    Raises:
        ImageError: see `frames.read_image`.
    """
    return np.asarray(cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR), dtype=np.uint8)


def draw_boxes(
    image: Image, truth: Sequence[float] | Array, boxes: Mapping[str, Sequence[float] | Array],
    scale: float = 1.0, thickness: int = 2,
) -> None:  # fmt: skip
    """Draw ground truth and predictions into a BGR image.

    Args:
        truth: x, y, w, h in pixels of the original frame; NaN or without area: not drawn.
        boxes: "#rrggbb" -> x, y, w, h.
        scale: image size / original size.
    """
    # White on black: no tracker has that, and it shows on any background.
    _rectangle(image, truth, (0, 0, 0), scale, thickness + 2)
    _rectangle(image, truth, (255, 255, 255), scale, thickness)
    for color, box in boxes.items():
        _rectangle(image, box, bgr(color), scale, thickness)


def _rectangle(
    image: Image, box: Sequence[float] | Array, color: tuple[int, int, int],
    scale: float, thickness: int,
) -> None:  # fmt: skip
    x, y, w, h = (float(value) * scale for value in box)
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        return
    # Far outside the image OpenCV's fixed-point coordinates would overflow.
    limit = 4 * max(image.shape[:2])
    corners = [int(np.clip(round(v), -limit, limit)) for v in (x, y, x + w, y + h)]
    cv2.rectangle(image, corners[:2], corners[2:], color, thickness)


def bgr(color: str) -> tuple[int, int, int]:
    """ "#rrggbb" as OpenCV's (b, g, r)."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return blue, green, red


def put_text(
    image: Image, text: str, place: tuple[int, int], size: float,
    color: tuple[int, int, int] = (255, 255, 255),
) -> None:  # fmt: skip
    """Write text from its bottom left corner, outlined: readable on any background."""
    for width, ink in ((3, (0, 0, 0)), (1, color)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, ink, width, cv2.LINE_AA)


# Points of a timeline; more cannot be told apart on a screen.
_POINTS = 400


_HEIGHT, _MAX_WIDTH, _QUALITY = 168, 300, 80


@dataclass(frozen=True)
class SequenceResult:
    """One sequence under several trackers.

    Attributes:
        name: of the sequence.
        truth: (frames, 4).
        valid: (frames,) annotated and visible.
        boxes: (trackers, frames, 4).
        overlap: (trackers, frames), -1 where not valid.
        frames: paths of the images; empty where they are not at hand.
    """

    name: str
    truth: Array
    valid: NDArray[np.bool_]
    boxes: Array
    overlap: Array
    frames: Sequence[Any]


def spans(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def choose_frames(overlap: Array, count: int) -> list[int]:
    """Frames worth seeing: the first and last, where the longest losses begin, then evenly.

    Args:
        overlap: (frames,) IoU of one tracker, -1 where not valid.
    """
    last = len(overlap) - 1
    if last < count:
        return list(range(last + 1))
    chosen = {0, last}
    lost = sorted(spans(overlap == 0), key=lambda s: s[0] - s[1])[: max(1, count // 3)]
    for begin, end in lost:
        chosen |= {max(0, begin - 1), (begin + end) // 2}
    if len(chosen) > count:
        chosen = set(sorted(chosen)[:count])
    while len(chosen) < count:
        # Always into the middle of the longest stretch without a picture.
        known = sorted(chosen)
        gap = max(range(len(known) - 1), key=lambda i: known[i + 1] - known[i])
        chosen.add((known[gap] + known[gap + 1]) // 2)
    return sorted(chosen)


def film_strip(result: SequenceResult, colors: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Pictures of the first tracker's best and worst moments.

    Returns:
        Per picture: frame (0-based), uri (JPEG, or "" with `error`), iou of the first tracker or
        None where the target is absent, lost.
    """
    if not len(result.frames):
        return []
    pictures = []
    for i in choose_frames(result.overlap[0], count):
        picture: dict[str, Any] = {
            "frame": i,
            "iou": round(float(result.overlap[0, i]), 3) if result.valid[i] else None,
            "lost": bool(result.overlap[0, i] == 0),
        }
        try:
            picture["uri"] = _picture(result, i, colors)
        except (ImageError, IndexError) as error:
            # One unreadable frame must not cost the report; it says so where the picture was.
            picture |= {"uri": "", "error": str(error)}
        pictures.append(picture)
    return pictures


def _picture(result: SequenceResult, i: int, colors: Sequence[str]) -> str:
    image = read_frame(result.frames[i])
    height, width = image.shape[:2]
    scale = min(_HEIGHT / height, _MAX_WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # The first tracker is what the strip is about: drawn last, on top.
    drawn = dict(reversed(list(zip(colors, result.boxes[:, i], strict=False))))
    draw_boxes(small, result.truth[i] if result.valid[i] else [0] * 4, drawn, scale, 2)
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ImageError(f"frame {result.frames[i]} cannot be encoded as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def timeline(result: SequenceResult, labels: Sequence[str]) -> dict[str, Any]:
    """IoU over time for the page: lowest of each stretch, so that no loss is smoothed away."""
    frames = result.overlap.shape[1]
    step = -(-frames // _POINTS)
    starts = np.arange(0, frames, step)
    shown = np.where(result.valid, result.overlap, np.inf)
    lowest = np.minimum.reduceat(shown, starts, axis=1)
    return {
        "frames": frames,
        "step": int(step),
        "x": [int(v) for v in starts],
        "series": {
            label: [round(float(v), 3) if np.isfinite(v) else None for v in row]
            for label, row in zip(labels, lowest, strict=True)
        },
        "lost": spans(result.overlap[0] == 0),
        "absent": spans(~result.valid),
    }


def pick(average: Mapping[str, float], count: int) -> tuple[list[str], list[str]]:
    """Names of the best and the worst `count` sequences; none is in both."""
    finite = {name: value for name, value in average.items() if np.isfinite(value)}
    ordered = sorted(finite, key=lambda name: finite[name])
    worst = ordered[: min(count, -(-len(ordered) // 2))]
    best = [name for name in reversed(ordered) if name not in worst][:count]
    return best, worst
