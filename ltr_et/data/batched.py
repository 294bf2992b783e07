"""Batches of pairs made on the device from a `FrameBank`: `pairs.CropPairs` without the CPU.

The same recipe as `views`, `paste` and `augment`, drawn for a whole batch at once and applied as
batched tensor operations; JPEG artefacts are left out. What goes beyond it:

* pasted objects are of the target's own class where there are any, or a copy of the target itself
  with other colours: look-alikes are what a tracker meets. Objects without a mask are cut out as
  soft ellipses.
* `unlabelled` pairs: any box in any frame is a target that the teacher has an opinion of, so
  distillation is not limited to what people have labelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .augment import TEMPLATE_APPEARANCE, Appearance
from .bank import FrameBank, move_boxes
from .crops import CONTEXT
from .pairs import PairSettings
from .tracks import TrackTable, generator
from .views import FLIP, GREY, SEARCH_VIEW, TEMPLATE_VIEW, ViewSettings

Batch = dict[str, Any]
# Other objects of a view that are told to the loss.
DISTRACTORS = 24
# Radius of the widest Gaussian: three sigma of 2.5 px, as cv2.GaussianBlur takes for 8-bit images.
_BLUR_RADIUS = 8
_LONGEST_MOTION = 17
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class BatchedSettings:
    """How batches are drawn.

    Attributes:
        pairs: sources, gaps and negatives.
        template: geometry and appearance of template views.
        search: of search views; their shifts are those of a view of 256 pixels and shrink with
            `sizes`.
        sizes: sides of the search view, each batch one of them.
        distractor: chance of this paste of `paste`, per view.
        occluder: likewise.
        background: likewise.
        border: likewise.
        own: share of pasted objects that are the target itself in other colours.
        unlabelled: share of pairs whose target is any box in any frame.
    """

    pairs: PairSettings = field(default_factory=PairSettings)
    template: ViewSettings = TEMPLATE_VIEW
    search: ViewSettings = SEARCH_VIEW
    sizes: tuple[int, ...] = (224, 224, 192, 256)
    distractor: float = 0.35
    occluder: float = 0.06
    background: float = 0.15
    border: float = 0.30
    own: float = 0.3
    unlabelled: float = 0.15


class DevicePairs:
    """Endless batches for the trainer (its `Data` protocol); batch `step` depends on seed and step.

    Args:
        bank: frames on the device.
        batch: pairs of a batch.
    """

    waited = 0.0

    def __init__(self, bank: FrameBank, batch: int, settings: BatchedSettings) -> None:
        self.bank, self.batch, self.settings = bank, batch, settings
        self.index = _Index(bank, settings.pairs)
        self.device = bank.device

    def state(self) -> dict[str, Any]:
        """Images that could not be read."""
        return {"skipped": len(self.bank.unreadable)}

    def batches(self, step: int) -> Iterator[Batch]:
        """Batches from `step` on."""
        while True:
            yield self.make(step)
            step += 1

    @torch.no_grad()
    def make(self, step: int) -> Batch:
        """Batch number `step`; see `actors.ETActor` for its fields."""
        with torch.autocast(self.device.type, enabled=False):
            return self._make(step)

    def _make(self, step: int) -> Batch:
        rng = generator(self.settings.pairs.seed, 7, step)
        draw = Draws(rng, self.batch, self.device)
        size = self.settings.sizes[int(rng.integers(len(self.settings.sizes)))]
        rows, partners, together = self.index.pairs(rng, self.batch)
        free = rng.random(self.batch) < self.settings.unlabelled
        x_row, z_row = self._tensor(rows), self._tensor(partners)
        x_box, z_box = self.bank.box[x_row].double(), self.bank.box[z_row].double()
        free_box, free_frame = self._free(rng)
        unlabelled = self._tensor(free)
        x_box = torch.where(unlabelled[:, None], free_box, x_box)
        z_box = torch.where(unlabelled[:, None], free_box, z_box)
        x_frame = torch.where(unlabelled, free_frame, self.bank.frame[x_row])
        z_frame = torch.where(unlabelled, free_frame, self.bank.frame[z_row])
        positive = self._tensor(together | free)
        flip, grey = draw.chance(FLIP), draw.chance(GREY)
        template, _ = self.bank.views(
            z_frame,
            matrices(draw, self.settings.template, z_box, flip),
            self.settings.template.size,
        )
        template = change(draw, template, None, self.settings.template.appearance)
        search = scaled(self.settings.search, size)
        matrix = matrices(draw, search, x_box, flip)
        own = torch.where(unlabelled, torch.zeros_like(x_row), self.bank.instance[x_row])
        scene = self._scene(draw, rng, rows, x_frame, matrix, size, x_box, own, unlabelled)
        view = change(draw, scene.image, scene.box, search.appearance)
        pseudo = self._tensor(self.bank.rows.pseudo[rows] | free)
        here = positive[:, None]
        others = torch.cat([scene.others, scene.box[:, None] * ~here[..., None]], 1)
        return {
            "template": to_bytes(as_grey(template, grey)), "search": to_bytes(as_grey(view, grey)),
            "box": scene.box * here, "positive": positive, "pseudo": pseudo,
            "labelled": ~unlabelled, "distractors": others,
        }  # fmt: skip

    def _tensor(self, values: NDArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, non_blocking=True)

    def _free(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A box of any place and shape in any frame: boxes (B, 4) float64, frames (B,)."""
        frames = self._tensor(rng.integers(0, len(self.bank.offset), self.batch))
        whole = self.bank.size[frames].double()
        drawn = self._tensor(rng.random((self.batch, 4)))
        # From a twentieth of the shorter side to 0.45 of it, so that the search region has a scene.
        side = whole.amin(1) * 0.05 * 9.0 ** drawn[:, 0]
        shape = torch.exp(1.2 * (drawn[:, 1] - 0.5))
        extent = torch.stack([side * shape.sqrt(), side / shape.sqrt()], 1)
        corner = drawn[:, 2:] * (whole - extent).clamp_min(0)
        return torch.cat([corner, extent], 1), frames

    def _scene(
        self, draw: Draws, rng: np.random.Generator, rows: NDArray, frame: Tensor, matrix: Tensor,
        size: int, box: Tensor, own: Tensor, unlabelled: Tensor,
    ) -> Scene:  # fmt: skip
        bank, settings = self.bank, self.settings
        image, cover = bank.views(frame, matrix, size, own)
        moved = move_boxes(box[:, None].float(), matrix)[:, 0]
        row = self._tensor(rows)
        others = move_boxes(bank.others(row, DISTRACTORS), matrix)
        others = others * _visible(others, size) * ~unlabelled[:, None, None]
        scene = Scene(image, moved, others)
        masked = self._tensor(bank.rows.masked[rows]) & ~unlabelled
        replaced = draw.chance(settings.background) & masked
        scene = self._behind(draw, rng, scene, frame, matrix, replaced, cover, size)
        donors = self.index.donors(rng, rows, settings.own)
        beside = draw.chance(settings.distractor) & ~unlabelled
        scene = self._paste(draw, rng, scene, donors, size, beside, covering=False)
        donors = self.index.donors(rng, rows, 0.0)
        over = draw.chance(settings.occluder) & ~beside
        return self._paste(draw, rng, scene, donors, size, over, covering=True)

    def _behind(
        self, draw: Draws, rng: np.random.Generator, scene: Scene, frame: Tensor, matrix: Tensor,
        replaced: Tensor, cover: Tensor, size: int,
    ) -> Scene:  # fmt: skip
        """Foreign scenery behind the target (`replaced`), or where the frame does not reach."""
        bank = self.bank
        _, reach = bank.views(frame, matrix, size)
        bare = (reach.mean((1, 2)) < 0.75) & draw.chance(self.settings.border) & ~replaced
        chosen = (bare | replaced).nonzero()[:, 0]
        if not len(chosen):
            return scene
        other = self._tensor(rng.integers(0, len(bank.offset), self.batch))[chosen]
        whole = bank.size[other].double()
        zoom = size / whole.amin(1) * (1 + 0.5 * draw.uniform(0, 1)[chosen])
        corner = draw.pair(0, 1)[chosen] * (whole * zoom[:, None] - size).clamp_min(0)
        placed = torch.stack([zoom[:, None].expand(-1, 2), -corner], 2)
        scenery, _ = bank.views(other, placed, size)
        kept = torch.where(replaced[chosen][:, None, None], soft(cover[chosen]), reach[chosen])
        image = scene.image.clone()
        image[chosen] = scenery + (image[chosen] - scenery) * kept[:, None]
        gone = replaced[:, None, None]
        return Scene(image, scene.box, scene.others * ~gone)

    def _paste(
        self, draw: Draws, rng: np.random.Generator, scene: Scene, donors: NDArray, size: int,
        wanted: Tensor, covering: bool,
    ) -> Scene:  # fmt: skip
        """Another object beside the target, or over a part of it."""
        bank = self.bank
        donor = self._tensor(donors)
        source = bank.box[donor].double()
        area = (scene.box[:, 2:].prod(1) / source[:, 2:].prod(1)).clamp_min(1e-9).sqrt()
        scale = area.double() * torch.exp(draw.uniform(-0.35, 0.35))
        extent = source[:, 2:] * scale[:, None]
        centre, fits = place(draw, scene.box.double(), extent, size, covering)
        chosen = (wanted & fits).nonzero()[:, 0]
        if not len(chosen):
            return scene
        factor = torch.stack([torch.where(draw.chance(0.5), -scale, scale), scale], 1)
        middle = source[:, :2] + source[:, 2:] / 2
        matrix = torch.stack([factor, centre - factor * middle], 2)[chosen]
        picture, cover = bank.views(
            bank.frame[donor][chosen], matrix, size, bank.instance[donor][chosen]
        )
        added = torch.cat([centre - extent / 2, extent], 1).float()
        masked = self._tensor(bank.rows.masked[donors])[chosen]
        shape = torch.where(masked[:, None, None], soft(cover), ellipse(added[chosen], size))
        tint = 0.18 if covering else 0.12
        picture = colour(draw.colours(tint, len(chosen)), picture)
        image = scene.image.clone()
        image[chosen] = image[chosen] + (picture - image[chosen]) * shape[:, None]
        told = torch.zeros_like(scene.box)
        told[chosen] = added[chosen]
        return Scene(image, scene.box, torch.cat([scene.others, told[:, None]], 1))


@dataclass(frozen=True)
class Scene:
    """Views being built: image (B, 3, S, S) 0..255, box (B, 4), others (B, K, 4), zeros: none."""

    image: Tensor
    box: Tensor
    others: Tensor


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
        """(B, 3, 4) colour matrices with an offset, as `augment.colour` draws them."""
        count = self.batch if count is None else count
        low, high = 1 - strength, 1 + strength
        brightness, contrast, saturation = self.rng.uniform(low, high, (3, count))
        gains = self.rng.uniform(1 - strength / 3, 1 + strength / 3, (count, 3))
        gains = gains * brightness[:, None]
        eye, luma = np.eye(3), np.tile(_LUMA, (3, 1))
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


def _visible(boxes: Tensor, size: int) -> Tensor:
    middle = boxes[..., :2] + boxes[..., 2:] / 2
    inside = ((middle > 0) & (middle < size)).all(-1) & (boxes[..., 2:] > 0).all(-1)
    return inside[..., None]


def place(
    draw: Draws, box: Tensor, extent: Tensor, size: int, covering: bool, tries: int = 8
) -> tuple[Tensor, Tensor]:
    """Centres (B, 2) for objects of `extent` (B, 2), and where one fits its role.

    Beside the target less than a twentieth of it may be covered, else a tenth to 0.45.
    """
    middle = box[:, :2] + box[:, 2:] / 2
    best = middle.clone()
    fits = torch.zeros(len(box), dtype=torch.bool, device=box.device)
    for _ in range(tries):
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
    luma = torch.tensor(_LUMA, device=images.device)
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
    import cv2

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
    """All changes of `augment.change` but recompression, with their probabilities."""
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


class _Index:
    """Which rows go together: `pairs._Tracks` for whole batches."""

    def __init__(self, bank: FrameBank, settings: PairSettings) -> None:
        rows = bank.rows
        self.settings, self.number = settings, rows.number
        names, source = np.unique(rows.source, return_inverse=True)
        self.table = TrackTable(source, rows.track, names.tolist(), settings.weights)
        self.track = self.table.track
        clips = np.char.add(np.char.add(rows.source, "/"), rows.clip)
        self.clip = np.unique(clips, return_inverse=True)[1]
        kinds, self.category = np.unique(rows.category, return_inverse=True)
        order = np.argsort(self.category, kind="stable")
        counts = np.bincount(self.category, minlength=len(kinds))
        self.members = np.split(order, np.cumsum(counts)[:-1])
        self.nameless = int(np.flatnonzero(kinds == "")[0]) if "" in kinds else -1
        self.masked = np.flatnonzero(rows.masked)
        self.start = np.cumsum([0, *[len(part) for part in self.table.rows]])
        self.sorted = np.concatenate(self.table.rows)

    def _row_of(self, rng: np.random.Generator, tracks: NDArray) -> NDArray:
        count = np.diff(self.start)[tracks]
        return self.sorted[self.start[tracks] + (rng.random(len(tracks)) * count).astype(np.int64)]

    def pairs(self, rng: np.random.Generator, count: int) -> tuple[NDArray, NDArray, NDArray]:
        """Rows of search views, rows of templates, and whether they show one target; (B,) each."""
        tracks = self.table.draw_many(rng, count)
        rows, partners = self._row_of(rng, tracks), self._row_of(rng, tracks)
        again = self._row_of(rng, tracks)
        # Another frame where there is one; one more try is enough for all but the shortest tracks.
        partners = np.where(partners == rows, again, partners)
        for place, row in enumerate(rows.tolist()):
            limit = self.settings.max_gap.get(
                self.table.sources[self.table.track_source[tracks[place]]]
            )
            if limit is not None and abs(self.number[partners[place]] - self.number[row]) > limit:
                partners[place] = row
        positive = rng.random(count) >= self.settings.negative
        for place in np.flatnonzero(~positive).tolist():
            other = self._stranger(rng, int(rows[place]), self.settings.same_class)
            partners[place], positive[place] = (other, False) if other >= 0 else (rows[place], True)
        return rows, partners, positive

    def _stranger(self, rng: np.random.Generator, row: int, same_class: float) -> int:
        """A row of another clip, often of the same class; -1: none found."""
        kind = int(self.category[row])
        if kind != self.nameless and rng.random() < same_class:
            for other in rng.choice(self.members[kind], 4).tolist():
                if self.clip[other] != self.clip[row]:
                    return int(other)
        others = self._row_of(rng, self.table.draw_many(rng, 8))
        far = others[self.clip[others] != self.clip[row]]
        return int(far[0]) if len(far) else -1

    def donors(self, rng: np.random.Generator, rows: NDArray, own: float) -> NDArray:
        """A row to paste into the view of each row: itself, one of its class, or any masked one."""
        result = rows.copy()
        for place in np.flatnonzero(rng.random(len(rows)) >= own).tolist():
            row = int(rows[place])
            kind = int(self.category[row])
            named = kind != self.nameless and len(self.members[kind]) > 1
            if named and rng.random() < self.settings.same_class:
                result[place] = int(rng.choice(self.members[kind]))
            elif len(self.masked):
                result[place] = int(rng.choice(self.masked))
        return result


def settings_of(weights: Mapping[str, float] | None, seed: int, **changes: Any) -> BatchedSettings:
    """Settings with their own source weights and seed."""
    return BatchedSettings(pairs=PairSettings(seed=seed, weights=weights), **changes)


__all__ = ["TEMPLATE_APPEARANCE", "BatchedSettings", "DevicePairs", "settings_of"]
