"""Boxes drawn over frames: film strips of a sequence, its IoU over time."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError, ImageError
from ..frames import Image, read_image
from .metrics import Array


def draw_boxes(
    image: Image, truth: Sequence[float] | Array,
    boxes: Iterable[tuple[str, Sequence[float] | Array]],
    scale: float = 1.0, thickness: int = 2,
) -> None:  # fmt: skip
    """Draw ground truth and predictions into an RGB image.

    Args:
        truth: x, y, w, h in pixels of the original frame; NaN or without area: not drawn.
        boxes: "#rrggbb" and x, y, w, h of each.
        scale: image size / original size.
    """
    # White on black: no tracker has that, and it shows on any background.
    _rectangle(image, truth, (0, 0, 0), scale, thickness + 2)
    _rectangle(image, truth, (255, 255, 255), scale, thickness)
    for color, box in boxes:
        _rectangle(image, box, rgb(color), scale, thickness)


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


def rgb(color: str) -> tuple[int, int, int]:
    """ "#rrggbb" as numbers 0..255."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def put_text(
    image: Image, text: str, place: tuple[int, int], size: float,
    color: tuple[int, int, int] = (255, 255, 255),
) -> None:  # fmt: skip
    """Write text from its bottom left corner, outlined: readable on any background."""
    for width, ink in ((3, (0, 0, 0)), (1, color)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, ink, width, cv2.LINE_AA)


# Points of a timeline; more cannot be told apart on a screen.
_POINTS = 400
# Pixels of an embedded picture: four times what the page shows first, for enlarging.
_MAX_HEIGHT, _MAX_WIDTH, _QUALITY = 360, 640, 80
# Targets below this share of the frame's sides are shown with their surroundings, so many times
# their size, only.
_SMALL, _SURROUNDINGS = 0.1, 5.0


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


def film_strip(result: SequenceResult, count: int) -> list[dict[str, Any]]:
    """Pictures of the first tracker's best and worst moments, without boxes in them.

    Returns:
        Per picture: frame (0-based), iou of the first tracker or None where the target is absent,
        lost, uri (JPEG, or "" with `error`), size (width, height of the JPEG), detail (whether it
        is a part of the frame), truth and boxes (of each tracker) in pixels of the JPEG, None where
        there is nothing to draw.
    """
    try:
        if not len(result.frames):
            return []
    except DatasetError:  # listed only now; results are scored without frames too
        return []
    pictures = []
    for i in choose_frames(result.overlap[0], count):
        picture: dict[str, Any] = {
            "frame": i,
            "iou": round(float(result.overlap[0, i]), 3) if result.valid[i] else None,
            "lost": bool(result.overlap[0, i] == 0),
        }
        try:
            picture |= _picture(result, i)
        except (ImageError, IndexError) as error:
            # One unreadable frame must not cost the report; it says so where the picture was.
            picture |= {"uri": "", "error": str(error)}
        pictures.append(picture)
    return pictures


def _picture(result: SequenceResult, i: int) -> dict[str, Any]:
    image = read_image(result.frames[i])
    truth = result.truth[i] if result.valid[i] else None
    left, top, right, bottom = view(image.shape[1], image.shape[0], truth, result.boxes[0, i])
    part = image[top:bottom, left:right]
    scale = min(1.0, _MAX_HEIGHT / len(part), _MAX_WIDTH / part.shape[1])
    if part.size < image.size:
        # A detail is enlarged, so that a small target can be seen beside its box.
        scale = min(_MAX_HEIGHT / len(part), _MAX_WIDTH / part.shape[1])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(len(part) * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(part, size, interpolation=kind)
    done, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ImageError(f"frame {result.frames[i]} cannot be encoded as JPEG")

    def placed(box: Array | None) -> list[float] | None:
        if box is None or not np.isfinite(box).all() or (box[2:] <= 0).any():
            return None
        moved = (box - [left, top, 0, 0]) * scale
        return [round(float(value), 1) for value in moved]

    return {
        "uri": "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii"),
        "size": size,
        "detail": part.size < image.size,
        "truth": placed(truth),
        "boxes": [placed(box) for box in result.boxes[:, i]],
    }


def view(width: int, height: int, truth: Array | None, box: Array) -> tuple[int, int, int, int]:
    """Part of a frame that a picture shows: left, top, right, bottom in pixels.

    All of it, unless the target is small: then its surroundings with truth and box in them, in the
    frame's own shape.

    Args:
        width, height: of the frame.
        truth: x, y, w, h; None where the target is absent.
        box: of the tracker.
    """
    whole = 0, 0, width, height
    shown = [one for one in (truth, box) if one is not None and np.isfinite(one).all()]
    if not shown:
        return whole
    target = max(shown[0][2] / width, shown[0][3] / height)
    corners = np.array([[*one[:2], *(one[:2] + one[2:])] for one in shown])
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    # As a share of the frame's sides.
    share = max(_SURROUNDINGS * target, *(1.3 * (high - low) / [width, height]))
    if target > _SMALL or share > 0.75 or not target > 0:
        return whole
    size = np.maximum(np.array([width, height]) * share, 1)
    corner = np.clip((low + high) / 2 - size / 2, 0, [width, height] - size)
    left, top = (int(value) for value in corner)
    return left, top, min(width, left + round(size[0])), min(height, top + round(size[1]))


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
