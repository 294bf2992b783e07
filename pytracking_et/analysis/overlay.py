"""Boxes drawn over frames: for the report's film strips and for playback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frames import read_image
from .boxfiles import Array

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
