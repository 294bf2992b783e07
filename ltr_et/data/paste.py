"""Crop-transform-paste: cut objects out by their masks and put them into other views.

Three uses, in search views only: another object as a distractor beside the target, another object
over a part of the target (an occluder with a natural outline), and the target itself on a foreign
background. Also the plain border of crops whose image is small is filled with a foreign scene.

Objects come from crops with masks (davis2016, chen, vos of the pack).
Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method", CVPR 2021, for the idea.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..dataset.base import Boxes, Image
from .crops import CropStore


@dataclass(frozen=True)
class PasteSettings:
    """Probabilities per view (background: per view whose target has a mask)."""

    distractor: float = 0.15
    occluder: float = 0.06
    background: float = 0.20
    border: float = 0.30


class Scene(NamedTuple):
    """A view being built.

    Attributes:
        image: S x S x 3.
        box: the target.
        others: (K, 4) boxes.
        extent: x, y, w, h of the real image in the view (mean color beyond).
        mask: S x S of the target, or None.
    """

    image: Image
    box: NDArray[np.float32]
    others: Boxes
    extent: NDArray[np.float32]
    mask: NDArray[np.uint8] | None


class Donors:
    """Where pasted objects and backgrounds come from: a crop store (of the training part only)."""

    def __init__(self, store: CropStore) -> None:
        self.store = store
        self.masked = np.flatnonzero(store.field["mask_size"] > 0)
        # A crop that is mostly plain border is no scenery.
        extent = store.field["extent"]
        low = np.clip(extent[:, :2], 0, store.width)
        high = np.clip(extent[:, :2] + extent[:, 2:], 0, store.width)
        self.low, self.span = low, high - low
        self.scenic = np.flatnonzero(self.span.min(1) >= 0.4 * store.width)

    def draw(self, rng: np.random.Generator, choices: NDArray[np.intp], avoid: str) -> int | None:
        """A crop out of `choices` that is not from clip `avoid` ("source/clip"), or None."""
        if not len(choices):
            return None
        for candidate in rng.choice(choices, 4).tolist():
            if self.store.clip_key(candidate) != avoid:
                return int(candidate)
        return None


def enrich(
    rng: np.random.Generator, scene: Scene, donors: Donors, avoid: str, settings: PasteSettings
) -> Scene:
    """Apply the pastes with their probabilities; the target's box never changes."""
    chance = rng.random(4)
    if chance[0] < settings.background and scene.mask is not None:
        scene = _new_background(rng, scene, donors, avoid)
    elif chance[1] < settings.border:
        scene = _fill_border(rng, scene, donors, avoid)
    if chance[2] < settings.distractor:
        scene = _add_object(rng, scene, donors, avoid, cover=False)
    if chance[3] < settings.occluder:
        scene = _add_object(rng, scene, donors, avoid, cover=True)
    return scene


def _affine(scale: float, flip: bool, centre: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Index-coordinate matrix that scales about `centre` and moves it to `target`."""
    factor = np.array([-scale if flip else scale, scale])
    # Half a pixel: both points are edge coordinates, warpAffine wants pixel indices.
    return np.column_stack([np.diag(factor), target - 0.5 - factor * (centre - 0.5)])


def _warp(image: NDArray, matrix: NDArray, size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def _blend(image: Image, over: NDArray, mask: NDArray) -> Image:
    """`over` where the mask (0..255) is set, with an edge softened over about two pixels."""
    soft = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32)[:, :, None] / 255
    return (image + (over.astype(np.float32) - image) * soft + 0.5).astype(np.uint8)


def _scenery(
    rng: np.random.Generator, donors: Donors, avoid: str, size: int
) -> NDArray[np.uint8] | None:
    """A foreign crop cut to a size x size background, its own object anywhere or out of sight."""
    other = donors.draw(rng, donors.scenic, avoid)
    if other is None:
        return None
    span = donors.span[other]
    zoom = float(rng.uniform(1.0, 1.5)) * max(size / float(span.min()), 0.8)
    corner = donors.low[other] + rng.random(2) * np.maximum(span - size / zoom, 0)
    return _warp(donors.store.image(other), _affine(zoom, False, corner, np.zeros(2)), size)


def _new_background(rng: np.random.Generator, scene: Scene, donors: Donors, avoid: str) -> Scene:
    scenery = _scenery(rng, donors, avoid, scene.image.shape[0])
    if scene.mask is None or scenery is None:
        return scene
    # The target alone is carried over, so the old scene's other objects are gone.
    return scene._replace(
        image=_blend(scenery, scene.image, scene.mask), others=np.zeros((0, 4), np.float32)
    )


def _fill_border(rng: np.random.Generator, scene: Scene, donors: Donors, avoid: str) -> Scene:
    size = scene.image.shape[0]
    low = np.clip(np.rint(scene.extent[:2]), 0, size).astype(int)
    high = np.clip(np.rint(scene.extent[:2] + scene.extent[2:]), 0, size).astype(int)
    if np.prod(high - low) > 0.75 * size * size:
        return scene
    scenery = _scenery(rng, donors, avoid, size)
    if scenery is None:
        return scene
    kept = (slice(low[1], high[1]), slice(low[0], high[0]))
    scenery[kept] = scene.image[kept]
    return scene._replace(image=scenery)


def _add_object(
    rng: np.random.Generator, scene: Scene, donors: Donors, avoid: str, cover: bool
) -> Scene:
    """Paste a masked foreign object beside the target, or over a part of it."""
    other = donors.draw(rng, donors.masked, avoid)
    mask = None if other is None else donors.store.mask(other)
    if other is None or mask is None:
        return scene
    size = scene.image.shape[0]
    source = donors.store.field["box"][other]
    area = float(np.sqrt(scene.box[2:].prod() / source[2:].prod()))
    scale = area * float(np.exp(rng.uniform(-0.35, 0.35)))
    extent = source[2:] * scale
    target = _place(rng, scene, extent, size, cover)
    if target is None:
        return scene
    matrix = _affine(scale, bool(rng.random() < 0.5), source[:2] + source[2:] / 2, target)
    inside = _warp(mask, matrix, size)
    image = _blend(scene.image, _warp(donors.store.image(other), matrix, size), inside)
    added = np.concatenate([target - extent / 2, extent]).astype(np.float32)[None]
    return scene._replace(image=image, others=np.concatenate([scene.others, added]))


def _place(
    rng: np.random.Generator, scene: Scene, extent: NDArray, size: int, cover: bool
) -> NDArray[np.float64] | None:
    """Centre for an object of `extent` (w, h) whose overlap with the target fits its role."""
    for _ in range(8):
        centre = rng.uniform(0, size, 2)
        if cover:
            middle = scene.box[:2] + scene.box[2:] / 2
            centre = middle + rng.uniform(-0.5, 0.5, 2) * (scene.box[2:] + extent)
        low = np.maximum(scene.box[:2], centre - extent / 2)
        high = np.minimum(scene.box[:2] + scene.box[2:], centre + extent / 2)
        covered = float(np.prod(np.clip(high - low, 0, None)) / scene.box[2:].prod())
        if (0.1 < covered < 0.45) if cover else covered < 0.05:
            return centre
    return None
