"""Draw boxes, scores and a status line on frames (RGB, HxWx3 uint8)."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import Box

Colour = tuple[int, int, int]

# Below this score a box is drawn grey with a broken line: the target is probably hidden or gone.
# The score is the peak of the sigmoid classification map before the window and size penalties.
# 0.55 is pytracking's object_presence_score_threshold.
LOW_SCORE = 0.55
GREY: Colour = (150, 150, 150)
WHITE: Colour = (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Mark:
    """One target on one frame: id from 1, box (4,) x, y, w, h in pixels, score in 0..1.

    drawn: by the user; lost: the tracker says that the target is gone.
    """

    id: int
    box: Box
    score: float
    drawn: bool = False
    lost: bool = False


def colour(target: int) -> Colour:
    """RGB colour of target number `target` (from 1); distinct for any number of targets.

    Hues are spaced by the golden ratio, so that every new one falls into the widest gap; each
    round of eight also changes the brightness.
    """
    hue = (0.36 + (target - 1) * 0.618033988749895) % 1.0
    value = 1.0 if (target - 1) // 8 % 2 == 0 else 0.72
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def annotate(
    image: NDArray[np.uint8],
    marks: Sequence[Mark],
    status: str = "",
    hint: str = "",
    low_score: float = LOW_SCORE,
) -> NDArray[np.uint8]:
    """Copy of `image` with the boxes, their scores, a status line above and a hint below.

    Args:
        image: HxWx3 uint8 RGB, unchanged.
        marks: what to draw; several targets also show their number.
        status: upper left, e.g. "31 fps  12 ms".
        hint: lower left, e.g. "paused".
        low_score: boxes that score less are grey and broken.
    """
    picture = np.array(image, dtype=np.uint8, order="C", copy=True)
    unit = text_unit(picture.shape)
    for mark in marks:
        _draw_mark(picture, mark, len(marks) > 1, low_score, unit)
    if status:
        label(picture, status, (round(6 * unit), round(6 * unit)), WHITE, unit)
    if hint:
        height = text_size(hint, unit)[1]
        top = picture.shape[0] - height - round(6 * unit)
        label(picture, hint, (round(6 * unit), top), WHITE, unit)
    return picture


def draw_box(
    picture: NDArray[np.uint8], box: Box, tint: Colour, unit: float, broken: bool = False
) -> None:
    """Draw box x, y, w, h (pixels) in place: solid, or a broken line for an uncertain one."""
    x, y, w, h = (float(value) for value in box)
    # Drawn at most a picture's size outside: far-away numbers overflow OpenCV's fixed point.
    limit = 2 * max(picture.shape[:2])
    left, right = np.clip([x, x + w], -limit, limit).round().astype(int).tolist()
    top, bottom = np.clip([y, y + h], -limit, limit).round().astype(int).tolist()
    width = max(1, round(2 * unit))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        for first, last in _pieces(start, end, round(7 * unit)) if broken else [(start, end)]:
            cv2.line(picture, first, last, tint, width, cv2.LINE_AA)


def label(
    picture: NDArray[np.uint8], text: str, corner: tuple[int, int], tint: Colour, unit: float
) -> None:
    """Text on a darkened plate, in place; `corner` is the plate's upper left, kept inside."""
    width, height = text_size(text, unit)
    rows, columns = picture.shape[:2]
    x = min(max(corner[0], 0), max(0, columns - width))
    y = min(max(corner[1], 0), max(0, rows - height))
    plate = picture[y : y + height, x : x + width]
    plate[:] = (plate * 0.35).astype(np.uint8)
    base = (x + round(4 * unit), y + height - round(5 * unit))
    cv2.putText(picture, text, base, FONT, 0.45 * unit, tint, max(1, round(unit)), cv2.LINE_AA)


def pixel_grid(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy of `image` (HxWx3 uint8 RGB) with lines and their x, y in pixels, to read a box from."""
    picture = np.array(image, dtype=np.uint8, order="C", copy=True)
    height, width = picture.shape[:2]
    unit = text_unit(picture.shape)
    # Room for a number of four digits between two lines.
    step = next(each for each in (50, 100, 200, 500, 1000) if each >= text_size("0000", unit)[0])
    for at in range(0, max(width, height), step):
        picture[:, at : at + 1] = picture[:, at : at + 1] // 2 + 127
        picture[at : at + 1] = picture[at : at + 1] // 2 + 127
        if at < width:
            label(picture, str(at), (at, 0), WHITE, unit)
        if 0 < at < height:
            label(picture, str(at), (0, at), WHITE, unit)
    return picture


def text_unit(shape: Sequence[int]) -> float:
    """Scale of lines and text: 1 at 640x360, growing with the picture so that 4K is legible."""
    return float(np.clip(min(shape[0] / 360, shape[1] / 640), 0.7, 6.0))


def text_size(text: str, unit: float) -> tuple[int, int]:
    """Width and height in pixels of the plate of one line."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.45 * unit, max(1, round(unit)))
    return width + round(8 * unit), height + round(9 * unit)


def heatmap(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Map HxW of 0..1 as an RGB picture of size (width, height), nearest-neighbour cells.

    Higher maxima stretch the scale, lower ones do not: a score map of an absent target looks dark.
    """
    finite = np.clip(np.nan_to_num(values), 0, None)
    top = max(1.0, float(finite.max(initial=0.0)))
    levels = (finite / top * 255).astype(np.uint8)
    tinted = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)
    enlarged = cv2.resize(tinted, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.cvtColor(enlarged, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _draw_mark(
    picture: NDArray[np.uint8], mark: Mark, numbered: bool, low_score: float, unit: float
) -> None:
    low = mark.score < low_score
    tint = GREY if low else colour(mark.id)
    draw_box(picture, mark.box, tint, unit, broken=low)
    text = f"{mark.id}: {mark.score:.2f}" if numbered else f"{mark.score:.2f}"
    x, y = round(float(mark.box[0])), round(float(mark.box[1]))
    label(picture, text, (x, y - text_size(text, unit)[1] - 1), tint, unit)


def _pieces(
    start: tuple[int, int], end: tuple[int, int], step: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Every second stretch of `step` pixels of a horizontal or vertical line."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    along = (np.sign(end[0] - start[0]), np.sign(end[1] - start[1]))

    def point(distance: int) -> tuple[int, int]:
        return int(start[0] + along[0] * distance), int(start[1] + along[1] * distance)

    step = max(2, step)
    return [(point(at), point(min(at + step, length))) for at in range(0, length, 2 * step)]
