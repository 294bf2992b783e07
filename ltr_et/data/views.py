"""Network inputs cut from crops or whole frames: one affine warp each, no pixel resampled twice.

The context square of the target covers 128 px of a view (the tracker's template) up to the drawn
jitter; the target is shifted off the centre. A view names the target's box in view pixels (edge
coordinates: a view of 256 px covers [0, 256), and its centre 128 is the grid point of cell (8, 8)).

Changes of appearance (color, grey, blur, motion blur, occlusion, low light, JPEG) are OpenCV calls
on uint8, RGB, HxWx3; each takes the generator first, and none resamples. Written here because a
pair shares some of them (grey, flip) while the rest is drawn per view, and because they run for
every sample on the trainer's own cores: 0.4 ms for the color and blur of a view, 2.6 times less
than albumentations 2.0.8 (`benchmarks/training_data.py`), whose development has ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..dataset.base import Boxes, Image
from .crops import CropStore, context_size, visible_boxes
from .paste import Donors, PasteSettings, Scene, enrich

LUMA = (0.299, 0.587, 0.114)


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
    mixed = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * np.array(LUMA, np.float32)
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


SEARCH = 256
TEMPLATE = 128
FLIP = 0.5
GREY = 0.2


class Flavour(NamedTuple):
    """What template and search of a pair share."""

    flip: bool
    grey: bool

    @property
    def code(self) -> int:
        """0..3: flip + 2 * grey."""
        return int(self.flip) + 2 * int(self.grey)


def draw_flavour(rng: np.random.Generator, flip: float = FLIP, greys: float = GREY) -> Flavour:
    """Flip with probability 1/2, grey with 1/5 (the recipe's)."""
    chance = rng.random(2)
    return Flavour(bool(chance[0] < flip), bool(chance[1] < greys))


@dataclass(frozen=True)
class ViewSettings:
    """Geometry and appearance of one kind of view.

    Attributes:
        size: side in pixels.
        shift: largest shift of the target from the centre, in view pixels.
        far_shift: a larger shift, for some of the views.
        far_share: the share of the views that have it.
        scale: largest logarithm of the change of size.
        aspect: largest logarithm of the change of width / height.
        context: view pixels that the context square s_z covers without jitter.
        uniform_scale: draw the scale factor itself within 1 +- `scale`, as the paper does.
        appearance: changes of colour, blur and so on.
        paste: probabilities of copy-paste (None: none).
    """

    size: int = SEARCH
    shift: float = 64.0
    far_shift: float = 90.0
    far_share: float = 0.2
    scale: float = 0.22
    aspect: float = 0.06
    context: float = 128.0
    uniform_scale: bool = False
    appearance: Appearance = field(default_factory=Appearance)
    paste: PasteSettings | None = field(default_factory=PasteSettings)


SEARCH_VIEW = ViewSettings()
TEMPLATE_VIEW = ViewSettings(
    size=TEMPLATE, shift=4.0, far_share=0.0, scale=0.05, aspect=0.0,
    appearance=TEMPLATE_APPEARANCE, paste=None,
)  # fmt: skip
# docs/method.md, section 7.1: shift +-64 and scale +-18 % in the search, +-4 and +-5 % in the
# template, color.
_PLAIN = Appearance(colour=0.25, blur=0, motion_blur=0, occlusion=0, low_light=0, jpeg=0)
PAPER_SEARCH_VIEW = ViewSettings(
    far_share=0.0, scale=0.18, aspect=0.0, context=127.0, uniform_scale=True,
    appearance=_PLAIN, paste=None,
)  # fmt: skip
PAPER_TEMPLATE_VIEW = ViewSettings(
    size=127, shift=4.0, far_share=0.0, scale=0.05, aspect=0.0, context=127.0,
    uniform_scale=True, appearance=_PLAIN, paste=None,
)  # fmt: skip


class View(NamedTuple):
    """A network input.

    Attributes:
        image: size x size x 3 uint8 RGB.
        box: (4,) float32 x, y, w, h of the target in view pixels.
        distractors: (K, 4) boxes of other objects in the view.
    """

    image: Image
    box: NDArray[np.float32]
    distractors: Boxes


class Picture(NamedTuple):
    """What a view is cut from: a stored crop or a whole frame, and what is known of it.

    Attributes:
        image: HxWx3 uint8 RGB.
        box: (4,) of the target.
        others: (K, 4) boxes of other objects.
        extent: (4,) of the real image (mean color beyond).
        mask: HxW uint8 of the target or None.
        fill: color outside.
        clip: "source/clip", from which nothing may be pasted.
    """

    image: Image
    box: NDArray[np.float32]
    others: Boxes
    extent: NDArray[np.float32]
    mask: NDArray[np.uint8] | None
    fill: tuple[int, ...]
    clip: str = ""


def crop_picture(store: CropStore, index: int) -> Picture:
    """Stored crop `index`.

    Raises:
        ImageError: the stored bytes do not decode.
    """
    extent = store.field["extent"][index]
    image = store.image(index)
    # Where the crop holds a border its colour is the image's mean; else the crop's own mean.
    if extent[:2].max() > 1:
        fill = image[0, 0]
    elif (extent[:2] + extent[2:]).min() < store.width - 1:
        fill = image[-1, -1]
    else:
        fill = image[::16, ::16].mean((0, 1))
    return Picture(
        image, store.field["box"][index], store.others(index), extent, store.mask(index),
        tuple(int(value) for value in fill), store.clip_key(index),
    )  # fmt: skip


def frame_picture(image: Image, box: NDArray, others: Boxes) -> Picture:
    """A whole frame."""
    extent = np.array([0, 0, image.shape[1], image.shape[0]], np.float32)
    fill = tuple(int(value) for value in image.mean((0, 1)))
    return Picture(image, np.asarray(box, np.float32), others, extent, None, fill)


def draw_matrix(
    rng: np.random.Generator, settings: ViewSettings, box: NDArray, flip: bool
) -> NDArray[np.float64]:
    """2x3 matrix from picture to view (edge coordinates) that brings `box` near the centre."""
    far = rng.random() < settings.far_share
    limit = settings.far_shift if far else settings.shift
    shift = rng.uniform(-limit, limit, 2)
    # Drawn though unused at 0, so that a changed setting leaves the other draws as they were.
    size = rng.uniform(-settings.scale, settings.scale)
    zoom = 1 + size if settings.uniform_scale else float(np.exp(size))
    zoom *= settings.context / context_size(box)
    stretch = float(np.exp(rng.uniform(-settings.aspect, settings.aspect) / 2))
    factor = np.array([zoom * stretch * (-1 if flip else 1), zoom / stretch])
    centre = np.asarray(box[:2], np.float64) + np.asarray(box[2:], np.float64) / 2
    return np.column_stack([np.diag(factor), settings.size / 2 + shift - factor * centre])


def warp(image: NDArray, matrix: NDArray, size: int, fill: tuple[int, ...] = (0, 0, 0)) -> NDArray:
    """Resample an image by a matrix in edge coordinates (pixel i covers [i, i + 1))."""
    index = matrix.copy()
    index[:, 2] += index[:, :2].sum(1) / 2 - 0.5
    return cv2.warpAffine(
        image, index, (size, size), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=fill,
    )  # fmt: skip


def move_boxes(boxes: NDArray, matrix: NDArray) -> NDArray[np.float32]:
    """Boxes (..., 4) through a matrix without rotation; a flip keeps w positive."""
    factor = np.diag(matrix[:, :2])
    first = boxes[..., :2] * factor + matrix[:, 2]
    second = (boxes[..., :2] + boxes[..., 2:]) * factor + matrix[:, 2]
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.concatenate([low, high - low], axis=-1).astype(np.float32)


def make_view(
    rng: np.random.Generator, picture: Picture, settings: ViewSettings, flavour: Flavour,
    donors: Donors | None = None,
) -> View:  # fmt: skip
    """Cut a random view of a picture; without `donors` nothing is pasted."""
    size = settings.size
    matrix = draw_matrix(rng, settings, picture.box, flavour.flip)
    image = np.asarray(warp(picture.image, matrix, size, picture.fill), np.uint8)
    box = move_boxes(picture.box, matrix)
    others = visible_boxes(move_boxes(picture.others, matrix), size)
    if settings.paste is not None and donors is not None:
        mask = None if picture.mask is None else warp(picture.mask, matrix, size)
        scene = Scene(image, box, others, move_boxes(picture.extent, matrix), mask)
        scene = enrich(rng, scene, donors, picture.clip, settings.paste)
        image, others = scene.image, scene.others
    image = change(rng, image, box, settings.appearance)
    return View(grey(image) if flavour.grey else image, box, others)
