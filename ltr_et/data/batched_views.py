"""Geometry and appearance of whole batches of views, as batched tensor operations.

The same as `views` and `paste` do view by view, but for recompression and occlusion by a plain
colour.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .crops import CONTEXT
from .views import LUMA, Appearance, ViewSettings

# Radius of the widest Gaussian: three sigma of 2.5 px, as cv2.GaussianBlur takes for 8-bit images.
_BLUR_RADIUS = 8
_LONGEST_MOTION = 17


class Draws:
    """Random numbers of a batch on its device, from one generator."""

    def __init__(self, rng: np.random.Generator, batch: int, device: torch.device) -> None:
        self.rng, self.batch, self.device = rng, batch, device

    def uniform(self, low: float, high: float) -> Tensor:
        """(B,) float64."""
        return torch.from_numpy(self.rng.uniform(low, high, self.batch)).to(self.device)

    def pair(self, low: float, high: float) -> Tensor:
        """(B, 2) float64."""
        return torch.from_numpy(self.rng.uniform(low, high, (self.batch, 2))).to(self.device)

    def chance(self, share: float) -> Tensor:
        """(B,) bool, true in this share of the cases."""
        return torch.from_numpy(self.rng.random(self.batch) < share).to(self.device)

    def colours(self, strength: float, count: int | None = None) -> Tensor:
        """(B, 3, 4) colour matrices with an offset, as `views.colour` draws them."""
        count = self.batch if count is None else count
        low, high = 1 - strength, 1 + strength
        brightness, contrast, saturation = self.rng.uniform(low, high, (3, count))
        gains = self.rng.uniform(1 - strength / 3, 1 + strength / 3, (count, 3))
        gains = gains * brightness[:, None]
        eye, luma = np.eye(3), np.tile(LUMA, (3, 1))
        mixed = saturation[:, None, None] * eye + (1 - saturation)[:, None, None] * luma
        matrix = contrast[:, None, None] * gains[:, :, None] * mixed
        offset = np.repeat(128 * (1 - contrast)[:, None, None], 3, 1)
        whole = np.concatenate([matrix, offset], 2).astype(np.float32)
        return torch.from_numpy(whole).to(self.device)


def scaled(settings: ViewSettings, size: int) -> ViewSettings:
    """Settings of a view of another side; shifts keep their share of it."""
    share = size / settings.size
    return replace(
        settings, size=size, shift=settings.shift * share, far_shift=settings.far_shift * share
    )


def matrices(draw: Draws, settings: ViewSettings, box: Tensor, flip: Tensor) -> Tensor:
    """(B, 2, 2), frame to view, that bring boxes (B, 4) near the centre (`views.draw_matrix`)."""
    limit = torch.where(draw.chance(settings.far_share), settings.far_shift, settings.shift)
    shift = draw.pair(-1, 1) * limit[:, None]
    margin = CONTEXT * (box[:, 2] + box[:, 3])
    side = ((box[:, 2] + margin) * (box[:, 3] + margin)).sqrt()
    zoom = torch.exp(draw.uniform(-settings.scale, settings.scale)) * settings.context / side
    stretch = torch.exp(draw.uniform(-settings.aspect, settings.aspect) / 2)
    factor = torch.stack([torch.where(flip, -1.0, 1.0) * zoom * stretch, zoom / stretch], 1)
    middle = box[:, :2] + box[:, 2:] / 2
    return torch.stack([factor, settings.size / 2 + shift - factor * middle], 2)


def place(
    draw: Draws, box: Tensor, extent: Tensor, size: int, covering: bool
) -> tuple[Tensor, Tensor]:
    """Centres (B, 2) for objects of `extent` (B, 2), and where one fits its role.

    Beside the target less than a twentieth of it may be covered, else a tenth to 0.45.
    """
    middle = box[:, :2] + box[:, 2:] / 2
    best = middle.clone()
    fits = torch.zeros(len(box), dtype=torch.bool, device=box.device)
    for _ in range(8):
        if covering:
            centre = middle + draw.pair(-0.5, 0.5) * (box[:, 2:] + extent)
        else:
            centre = draw.pair(0, size)
        low = torch.maximum(box[:, :2], centre - extent / 2)
        high = torch.minimum(box[:, :2] + box[:, 2:], centre + extent / 2)
        covered = (high - low).clamp_min(0).prod(1) / box[:, 2:].prod(1)
        good = (covered > 0.1) & (covered < 0.45) if covering else covered < 0.05
        best = torch.where((good & ~fits)[:, None], centre, best)
        fits |= good
    return best, fits


def ellipse(boxes: Tensor, size: int) -> Tensor:
    """Soft ellipses (B, S, S) 0..1 that fill boxes (B, 4)."""
    point = torch.arange(size, device=boxes.device) + 0.5
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    u = (point - middle[:, :1]) / (boxes[:, 2:3] / 2).clamp_min(1e-3)
    v = (point - middle[:, 1:]) / (boxes[:, 3:] / 2).clamp_min(1e-3)
    # Of the fourth order: nearer to the box's corners than a true ellipse.
    radius = u[:, None].abs() ** 4 + v[:, :, None].abs() ** 4
    return ((1.15 - radius) / 0.3).clamp(0, 1)


def soft(mask: Tensor) -> Tensor:
    """Masks (B, S, S) with an edge softened over about two pixels."""
    sigma = torch.full((len(mask),), 0.8, device=mask.device)
    return gaussian(mask[:, None], sigma)[:, 0]


def to_bytes(images: Tensor) -> Tensor:
    """Float images 0..255 to uint8."""
    return images.round().clamp_(0, 255).to(torch.uint8)


def as_grey(images: Tensor, where: Tensor) -> Tensor:
    """Luma (BT.601) in all channels of the images chosen by `where` (B,) bool."""
    luma = torch.tensor(LUMA, device=images.device)
    single = (images * luma[:, None, None]).sum(1, keepdim=True)
    return torch.where(where[:, None, None, None], single.expand_as(images), images)


def colour(matrix: Tensor, images: Tensor) -> Tensor:
    """Images (B, 3, S, S) through colour matrices (B, 3, 4), clamped to 0..255."""
    flat = torch.baddbmm(matrix[:, :, 3:], matrix[:, :, :3], images.flatten(2))
    return flat.view(images.shape).clamp(0, 255)


def _filtered(images: Tensor, kernels: Tensor) -> Tensor:
    """Images (B, C, S, S), each through its own kernel (B, k, l); borders reflected."""
    batch, channels, height, width = images.shape
    tall, wide = kernels.shape[1:]
    pads = (wide // 2, wide // 2, tall // 2, tall // 2)
    padded = F.pad(images, pads, mode="reflect").reshape(1, -1, height + tall - 1, width + wide - 1)
    weight = kernels[:, None].repeat_interleave(channels, 0).to(images.dtype)
    return F.conv2d(padded, weight, groups=batch * channels).view(images.shape)


def gaussian(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with one sigma (B,) an image, cut off at three sigma."""
    place_ = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=images.device)
    wide = place_.abs() <= (3 * sigma[:, None]).round()
    line = torch.exp(-0.5 * (place_ / sigma[:, None]) ** 2) * wide
    line = line / line.sum(1, keepdim=True)
    return _filtered(_filtered(images, line[:, None]), line[:, :, None])


def motion_kernels(length: NDArray, angle: NDArray) -> NDArray[np.float32]:
    """Lines of the given lengths (odd or even, px) and angles in kernels (B, 17, 17)."""
    kernels = np.zeros((len(length), _LONGEST_MOTION, _LONGEST_MOTION), np.float32)
    middle = _LONGEST_MOTION // 2
    for kernel, long, turn in zip(kernels, length, angle, strict=True):
        step = np.array([np.cos(turn), np.sin(turn)]) * (long - 1) / 2
        first, last = np.rint(middle - step).astype(int), np.rint(middle + step).astype(int)
        cv2.line(kernel, tuple(first.tolist()), tuple(last.tolist()), 1.0)
        kernel /= kernel.sum()
    return kernels


def occlude(draw: Draws, images: Tensor, box: Tensor) -> Tensor:
    """Cover 12 to 45 % of boxes (B, 4) with a patch from elsewhere in the view."""
    size = images.shape[-1]
    share = draw.uniform(0.12, 0.45).float()
    wide = (share.sqrt() * torch.exp(draw.uniform(-0.5, 0.5).float())).clamp_max(1).maximum(share)
    extent = torch.stack([box[:, 2] * wide, box[:, 3] * share / wide], 1).clamp_min(2)
    corner = box[:, :2] + draw.pair(0, 1).float() * (box[:, 2:] - extent).clamp_min(0)
    point = torch.arange(size, device=images.device) + 0.5
    column = (point > corner[:, :1]) & (point < corner[:, :1] + extent[:, :1])
    line = (point > corner[:, 1:]) & (point < corner[:, 1:] + extent[:, 1:])
    covered = line[:, :, None] & column[:, None]
    # A circular shift brings something else there, without an index per pixel.
    turn = int(draw.rng.integers(size // 4, 3 * size // 4)), int(draw.rng.integers(0, size))
    return torch.where(covered[:, None], images.roll(turn, (2, 3)), images)


def change(draw: Draws, images: Tensor, box: Tensor | None, appearance: Appearance) -> Tensor:
    """All changes of `views.change` but recompression, with their probabilities."""
    if box is not None:
        hidden = draw.chance(appearance.occlusion)[:, None, None, None]
        images = torch.where(hidden, occlude(draw, images, box), images)
    if appearance.colour:
        images = colour(draw.colours(appearance.colour), images)
    dark, moved = draw.chance(appearance.low_light), draw.chance(appearance.motion_blur)
    blurred = draw.chance(appearance.blur) & ~moved
    images = _apply(images, dark, lambda part, at: _low_light(draw, part, at))
    length, angle = draw.rng.integers(5, 18, draw.batch), draw.rng.uniform(0, np.pi, draw.batch)
    lines = torch.from_numpy(motion_kernels(length, angle)).to(images.device)
    images = _apply(images, moved, lambda part, at: _filtered(part, lines[at]))
    sigma = draw.uniform(0.5, 2.5).float()
    return _apply(images, blurred, lambda part, at: gaussian(part, sigma[at]))


def _apply(images: Tensor, where: Tensor, function: Any) -> Tensor:
    chosen = where.nonzero()[:, 0]
    if not len(chosen):
        return images
    images = images.clone()
    images[chosen] = function(images[chosen], chosen)
    return images


def _low_light(draw: Draws, images: Tensor, at: Tensor) -> Tensor:
    gamma, strength = draw.uniform(1.3, 2.5).float()[at], draw.uniform(2, 8).float()[at]
    noise = torch.randn(len(images), 1, *images.shape[2:], device=images.device)
    darker = 255 * (images / 255) ** gamma[:, None, None, None]
    return (darker + noise * strength[:, None, None, None]).clamp(0, 255)
