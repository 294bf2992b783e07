"""A short clip rendered at run time: a patterned balloon over hills, for demo and self-tests.

Procedural on purpose: nothing to download, no licence, and the true box of every frame is known.
The balloon swings through the picture, grows and shrinks (0.7 to 1.5 of its first size), passes
behind a pine and a mast, and a smaller balloon of other colours crosses as a distractor; the
camera pans with a slight shake, and each frame has motion blur and sensor noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import Box
from ..errors import ParameterError

WIDTH, HEIGHT, FPS = 640, 360, 30.0
SHORTEST = 10


class ClipFrame(NamedTuple):
    """image HxWx3 uint8 RGB, true box (4,) x, y, w, h in pixels, part of the target hidden 0..1."""

    image: NDArray[np.uint8]
    box: Box
    hidden: float


def render(frames: int = 150, seed: int = 0) -> Iterator[ClipFrame]:
    """Frames of the clip, one after another; the same for the same numbers.

    Raises:
        ParameterError: fewer than 10 frames, or a negative seed.
    """
    if frames < SHORTEST:
        raise ParameterError(f"--frames {frames} is too short to track; give at least {SHORTEST}")
    if seed < 0:
        raise ParameterError(f"--seed {seed} is negative; give a number from 0")
    random = np.random.default_rng(seed)
    # Layers drawn once: sky, two ranges of hills, meadow; things in front; two balloons.
    backdrop = _backdrop(random, WIDTH + 520)
    front, front_alpha = _foreground(random, WIDTH + 920)
    target = _balloon(random, hues=(0.02, 0.12, 0.58), stripes=12)
    distractor = _scaled(_balloon(random, hues=(0.38, 0.5, 0.8), stripes=8), 46, 0.05)
    phase = random.uniform(0, 2 * math.pi, 3)
    shake = cv2.GaussianBlur(random.normal(0, 3.0, (frames, 2)), (1, 7), 0)
    for index, (sideways, tilt) in enumerate(shake.tolist()):
        t = index / (frames - 1)
        pan = 420 * t + sideways
        view = _window(backdrop, pan, tilt).astype(np.float32)
        _paste(view, *distractor, (WIDTH * (1.15 * t - 0.08), 118 + 22 * math.sin(9 * t)))
        size, (across, down), sway = _target_at(t, phase)
        colours, alpha = _scaled(target, size, sway)
        left, top = _paste(view, colours, alpha, (across, down + tilt))
        x, y, w, h = cv2.boundingRect((alpha > 0.5).astype(np.uint8))
        cover = _window(front_alpha, pan * 1.7, tilt * 1.4)
        near = _window(front, pan * 1.7, tilt * 1.4).astype(np.float32)
        view = view * (1 - cover[..., None]) + near * cover[..., None]
        part = cover[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        seen = alpha[: part.shape[0], : part.shape[1]]
        hidden = float((seen * part).sum() / seen.sum())
        noise = random.normal(0, 2.5, view.shape).astype(np.float32)
        image = np.clip(cv2.GaussianBlur(view, (3, 3), 0.7) + noise, 0, 255).astype(np.uint8)
        yield ClipFrame(image, np.array([left + x, top + y, w, h], np.float64), hidden)


def _target_at(t: float, phase: NDArray) -> tuple[float, tuple[float, float], float]:
    """Height in pixels, centre and sway (radians) of the target at time t of 0..1."""
    bend = 0.3 * np.sin(phase)
    size = 97 + 37 * math.sin(2 * math.pi * 1.2 * t + bend[0])
    x = WIDTH * (0.5 + 0.27 * math.sin(2 * math.pi * 1.4 * t + bend[1]))
    y = HEIGHT * (0.46 + 0.13 * math.sin(2 * math.pi * 1.9 * t + bend[2]))
    return size, (x, y), 0.14 * math.sin(2 * math.pi * 2.3 * t)


def _noise(random: np.random.Generator, height: int, width: int, octaves: int) -> NDArray:
    """Fractal value noise, HxW float32 of 0..1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 2)
        grid = random.random((cells, max(2, cells * width // height))).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low)


def _ridge(random: np.random.Generator, width: int, base: float, rise: float) -> NDArray:
    """Height line of a range of hills: row per column, float (width,)."""
    line = np.zeros(width)
    at = np.arange(width)
    for octave in range(6):
        waves = 1.5 * 2**octave * width / 1160
        start = random.uniform(0, 2 * math.pi)
        line += np.sin(at / width * 2 * math.pi * waves + start) / 1.9**octave
    return base - rise * line / 2.2


def _backdrop(random: np.random.Generator, width: int) -> NDArray[np.uint8]:
    """Sky with clouds, two ranges of hills, meadow with trees: (HEIGHT+40) x width x 3."""
    height = HEIGHT + 40
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = (1 - rows) * np.array([86, 142, 206]) + rows * np.array([226, 226, 214])
    picture = np.repeat(sky.astype(np.float32), width, axis=1)
    clouds = np.clip(_noise(random, height, width, 6) * 2.6 - 1.25, 0, 1)[..., None]
    picture = picture + (250 - picture) * clouds * (1.1 - rows)
    ranges = [
        (0.58, 44, (112, 130, 152), 26.0),
        (0.70, 30, (84, 112, 92), 40.0),
        (0.86, 10, (108, 134, 62), 60.0),
    ]
    at = np.arange(height)[:, None]
    for base, rise, tint, contrast in ranges:
        inside = (at > _ridge(random, width, base * height, rise)[None])[..., None]
        texture = (_noise(random, height, width, 8)[..., None] - 0.5) * contrast * 2
        picture = np.where(inside, np.array(tint, np.float32) + texture, picture)
    for _ in range(170):
        depth = random.uniform(0.0, 1.0)
        foot = height * (0.76 + 0.22 * depth)
        tall = 8 + 26 * depth * random.uniform(0.7, 1.2)
        _tree(picture, random, random.uniform(0, width), foot, tall, (52, 84, 44))
    return np.clip(picture, 0, 255).astype(np.uint8)


def _tree(
    picture: NDArray,
    random: np.random.Generator,
    x: float,
    foot: float,
    tall: float,
    tint: tuple[int, int, int],
    alpha: NDArray | None = None,
) -> None:
    """A pine of a few jagged tiers, in place; also into `alpha` when given."""
    for tier in range(6):
        low, high = foot - tall * tier / 7, foot - tall * (tier + 2.2) / 7
        half = tall * 0.24 * (1 - tier / 7) * random.uniform(0.85, 1.15)
        points = np.array([[x - half, low], [x + half, low + 2], [x, high]]).round().astype(int)
        shade = np.array(tint) * random.uniform(0.75, 1.2)
        cv2.fillPoly(picture, [points], tuple(float(value) for value in shade))
        if alpha is not None:
            cv2.fillPoly(alpha, [points], 1.0)


def _foreground(random: np.random.Generator, width: int) -> tuple[NDArray, NDArray]:
    """Things nearer than the balloon: pines and masts. Colours HxWx3 uint8 and cover HxW 0..1."""
    height = HEIGHT + 40
    colours = np.zeros((height, width, 3), np.float32)
    cover = np.zeros((height, width), np.float32)
    for centre in (390, 940):
        foot = height + 18.0
        for _ in range(5):
            jitter = random.uniform(-7, 7)
            _tree(colours, random, centre + jitter, foot, 255, (38, 62, 36), cover)
    for x in (660, 1310):
        cv2.rectangle(colours, (x, 40), (x + 15, height), (92, 84, 76), -1)
        cv2.rectangle(colours, (x, 40), (x + 5, height), (124, 116, 106), -1)
        cv2.rectangle(cover, (x, 40), (x + 15, height), 1.0, -1)
    texture = (_noise(random, height, width, 8)[..., None] - 0.5) * 46
    shaded = np.clip(colours + texture, 0, 255).astype(np.uint8)
    return shaded, cv2.GaussianBlur(cover, (3, 3), 0.8)


def _balloon(
    random: np.random.Generator, hues: tuple[float, float, float], stripes: int
) -> tuple[NDArray, NDArray]:
    """A hot-air balloon, 400 px high: colours HxWx3 float and cover HxW float 0..1."""
    height, width = 400, 300
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x - width / 2) / 140, (y - 145) / 140
    # Below its equator the envelope tapers towards the basket.
    half = np.where(v < 0, np.sqrt(np.clip(1 - v**2, 0, 1)), 1 - 0.42 * np.clip(v, 0, 1.3) ** 1.9)
    envelope = (np.abs(u) < half) & (v > -1) & (v < 1.28)
    angle = np.arcsin(np.clip(u / np.maximum(half, 1e-3), -1, 1))
    band = np.floor((angle / math.pi + 0.5) * stripes).astype(int) % 3
    band = np.where((v > 0.05) & (v < 0.4), (band + np.floor(v * 20).astype(int)) % 3, band)
    tints = np.array([_rgb(hue) for hue in hues], np.float32)
    shade = 0.62 + 0.46 * np.cos(angle - 0.5) - 0.12 * v
    grain = 1 + (_noise(random, height, width, 7) - 0.5) * 0.25
    colours = tints[band] * (shade * grain)[..., None]
    basket = (np.abs(u) < 0.15) & (v > 1.52) & (v < 1.8)
    weave = 0.8 + 0.2 * ((x // 6 + y // 6) % 2)
    colours[basket] = (np.array([122, 84, 46]) * weave[..., None])[basket]
    ropes = (np.abs(np.abs(u) - 0.13 - (1.52 - v) * 0.6) < 0.022) & (v >= 1.2) & (v <= 1.54)
    colours[ropes] = (70, 58, 48)
    cover = (envelope | basket | ropes).astype(np.float32)
    return colours.astype(np.float32), cover


def _rgb(hue: float) -> NDArray:
    pixel = np.array([[[hue * 360, 0.78, 0.95]]], np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] * 255


def _scaled(sprite: tuple[NDArray, NDArray], size: float, sway: float) -> tuple[NDArray, NDArray]:
    """Sprite at `size` pixels of height, turned by `sway` radians; colours and cover."""
    colours, cover = sprite
    height, width = cover.shape
    scale = size / height
    side = math.ceil(size * 1.35)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), math.degrees(sway), scale)
    turn[:, 2] = turn[:, 2] + side / 2 - np.array([width / 2, height / 2])
    # Shrinking by more than half without a blur would alias the stripes.
    blur = max(0.1, 0.45 / scale)
    shape = (side, side)
    smooth = cv2.GaussianBlur(colours * cover[..., None], (0, 0), blur)
    soft = cv2.GaussianBlur(cover, (0, 0), blur)
    alpha = cv2.warpAffine(soft, turn, shape, flags=cv2.INTER_LINEAR)
    tinted = cv2.warpAffine(smooth, turn, shape, flags=cv2.INTER_LINEAR)
    return tinted / np.maximum(alpha, 1e-3)[..., None], alpha


def _paste(
    view: NDArray, colours: NDArray, alpha: NDArray, centre: tuple[float, float]
) -> tuple[int, int]:
    """Blend a sprite into `view` in place, centred there; returns its left and top."""
    height, width = alpha.shape
    left, top = round(centre[0] - width / 2), round(centre[1] - height / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, view.shape[1]), min(top + height, view.shape[0])
    if x0 < x1 and y0 < y1:
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        cover = alpha[part][..., None]
        view[y0:y1, x0:x1] = view[y0:y1, x0:x1] * (1 - cover) + colours[part] * cover
    return left, top


def _window(layer: NDArray, pan: float, tilt: float) -> NDArray:
    """The part of a layer that the camera sees, with sub-pixel motion."""
    shift = np.array([[1, 0, -pan - 20], [0, 1, -tilt - 20]], np.float32)
    return cv2.warpAffine(layer, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
