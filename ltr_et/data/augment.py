"""Appearance changes of a view: colour, grey, blur, motion blur, occlusion, low light, JPEG.

OpenCV calls on uint8, RGB, HxWx3; each takes the generator first, and none resamples. Written here
because a pair shares some of them (grey, flip) while the rest is drawn per view, and because they
run for every sample on the trainer's own cores: 0.4 ms for the colour and blur of a view, 2.6 times
less than albumentations 2.0.8 (`benchmarks/training_data.py`), whose development has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..dataset.base import Image

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Appearance:
    """Strengths and probabilities; the defaults are the measured recipe's for a search view."""

    colour: float = 0.25
    blur: float = 0.15
    motion_blur: float = 0.12
    occlusion: float = 0.08
    low_light: float = 0.04
    jpeg: float = 0.05


# The template is cut from a frame somebody chose: a mild change of colour only.
TEMPLATE_APPEARANCE = Appearance(
    colour=0.10, blur=0.05, motion_blur=0.0, occlusion=0.0, low_light=0.0, jpeg=0.02
)


def grey(image: Image) -> Image:
    """Luma (BT.601) in all three channels."""
    single = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat(single[:, :, None], 3, axis=2).astype(np.uint8, copy=False)


def colour(rng: np.random.Generator, image: Image, strength: float) -> Image:
    """Brightness, contrast, saturation and channel gains, each within 1 +- `strength`."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    gains = rng.uniform(1 - strength / 3, 1 + strength / 3, 3) * brightness
    mixed = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * _LUMA
    matrix = contrast * gains[:, None] * mixed
    # Contrast turns about the middle grey, so that it does not act as brightness.
    offset = np.full((3, 1), 128 * (1 - contrast))
    return cv2.transform(image, np.hstack([matrix, offset]).astype(np.float32))  # type: ignore[return-value]


def blur(rng: np.random.Generator, image: Image) -> Image:
    """Gaussian, sigma 0.5 to 2.5 px."""
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 2.5)))  # type: ignore[return-value]


def motion_blur(rng: np.random.Generator, image: Image, angle: float | None = None) -> Image:
    """Along a line of 5 to 17 px in any direction."""
    length = int(rng.integers(5, 18))
    turn = float(rng.uniform(0, np.pi)) if angle is None else angle
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    step = np.array([np.cos(turn), np.sin(turn)]) * middle
    first, last = np.rint(middle - step).astype(int), np.rint(middle + step).astype(int)
    cv2.line(kernel, tuple(first.tolist()), tuple(last.tolist()), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())  # type: ignore[return-value]


def occlude(rng: np.random.Generator, image: Image, box: NDArray) -> Image:
    """Cover a part of the target with a patch from elsewhere in the view, or with plain colour.

    At most 45 % of the box is covered: more would leave nothing to regress.
    """
    size = image.shape[0]
    x, y, w, h = (float(value) for value in box)
    share = rng.uniform(0.12, 0.45)
    wide = float(np.clip(np.sqrt(share) * np.exp(rng.uniform(-0.5, 0.5)), share, 1))
    width, height = max(2, int(w * wide)), max(2, int(h * share / wide))
    left = int(np.clip(x + rng.uniform(0, max(w - width, 0) + 1), 0, size - 1))
    top = int(np.clip(y + rng.uniform(0, max(h - height, 0) + 1), 0, size - 1))
    width, height = min(width, size - left), min(height, size - top)
    covered = image.copy()
    if rng.random() < 0.7:
        from_x = int(rng.integers(0, size - width + 1))
        from_y = int(rng.integers(0, size - height + 1))
        patch = image[from_y : from_y + height, from_x : from_x + width]
        covered[top : top + height, left : left + width] = patch
    else:
        covered[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return covered


def low_light(rng: np.random.Generator, image: Image) -> Image:
    """Darken by a gamma of 1.3 to 2.5 and add the sensor noise that comes with it."""
    table = (255 * (np.arange(256) / 255) ** rng.uniform(1.3, 2.5)).astype(np.float32)
    noise = rng.normal(0, rng.uniform(2, 8), image.shape[:2]).astype(np.float32)
    return np.clip(table[image] + noise[:, :, None], 0, 255).astype(np.uint8)


def recompress(rng: np.random.Generator, image: Image) -> Image:
    """JPEG of quality 20 to 60."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 61))]
    data = cv2.imencode(".jpg", image, quality)[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def change(
    rng: np.random.Generator, image: Image, box: NDArray | None, appearance: Appearance
) -> Image:
    """Apply all changes with their probabilities; `box` (x, y, w, h) is what may be occluded."""
    # Drawn at once, whatever happens below: a changed probability must not shift later draws.
    chance = rng.random(5)
    if box is not None and chance[0] < appearance.occlusion:
        image = occlude(rng, image, box)
    if appearance.colour:
        image = colour(rng, image, appearance.colour)
    if chance[1] < appearance.low_light:
        image = low_light(rng, image)
    if chance[2] < appearance.motion_blur:
        image = motion_blur(rng, image)
    elif chance[3] < appearance.blur:
        image = blur(rng, image)
    if chance[4] < appearance.jpeg:
        image = recompress(rng, image)
    return image
