"""Batches of pairs made on the device from a `FrameBank`: `pairs.CropPairs` without the CPU.

The same recipe as `views` and `paste`, drawn for a whole batch at once and applied as
batched tensor operations; JPEG artefacts are left out. What goes beyond it:

* pasted objects are of the target's own class where there are any, or a copy of the target itself
  with other colours: look-alikes are what a tracker meets. Objects without a mask are cut out as
  soft ellipses.
* `unlabelled` pairs: any box in any frame is a target that the teacher has an opinion of, so
  distillation is not limited to what people have labelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .bank import FrameBank, move_boxes
from .batched_views import (
    Draws,
    as_grey,
    change,
    colour,
    ellipse,
    matrices,
    place,
    scaled,
    soft,
    to_bytes,
)
from .pairs import NEGATIVE, SAME_CLASS, TrackTable, generator, joined
from .views import FLIP, GREY, SEARCH_VIEW, TEMPLATE_VIEW

Batch = dict[str, Any]
# Other objects of a view that are told to the loss.
DISTRACTORS = 24


@dataclass(frozen=True)
class BatchedSettings:
    """How batches are drawn.

    Attributes:
        seed: of every draw.
        negative: share of pairs whose search view does not hold the target.
        sizes: sides of the search view, each batch one of them; shifts shrink with them.
        distractor, occluder, background, border: chance of this paste of `paste`, per view.
        own: share of pasted objects that are the target itself in other colours.
        unlabelled: share of pairs whose target is any box in any frame.
    """

    seed: int = 0
    negative: float = NEGATIVE
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
        self.index = _Index(bank, settings.negative)
        self.device = bank.device

    def state(self) -> dict[str, Any]:
        """Nothing: the step tells all."""
        return {}

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
        rng = generator(self.settings.seed, 7, step)
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
        matrix = matrices(draw, TEMPLATE_VIEW, z_box, flip)
        template, _ = self.bank.views(z_frame, matrix, TEMPLATE_VIEW.size)
        template = change(draw, template, None, TEMPLATE_VIEW.appearance)
        search = scaled(SEARCH_VIEW, size)
        matrix = matrices(draw, search, x_box, flip)
        own = torch.where(unlabelled, torch.zeros_like(x_row), self.bank.instance[x_row])
        scene = self._scene(draw, rows, x_frame, matrix, size, x_box, own, unlabelled)
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
        self, draw: Draws, rows: NDArray, frame: Tensor, matrix: Tensor, size: int, box: Tensor,
        own: Tensor, unlabelled: Tensor,
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
        scene = self._behind(draw, scene, frame, matrix, replaced, cover)
        donors = self.index.donors(draw.rng, rows, settings.own)
        beside = draw.chance(settings.distractor) & ~unlabelled
        scene = self._paste(draw, scene, donors, beside, covering=False)
        donors = self.index.donors(draw.rng, rows, 0.0)
        over = draw.chance(settings.occluder) & ~beside
        return self._paste(draw, scene, donors, over, covering=True)

    def _behind(
        self, draw: Draws, scene: Scene, frame: Tensor, matrix: Tensor, replaced: Tensor,
        cover: Tensor,
    ) -> Scene:  # fmt: skip
        """Foreign scenery behind the target (`replaced`), or where the frame does not reach."""
        bank, size = self.bank, scene.image.shape[-1]
        _, reach = bank.views(frame, matrix, size)
        bare = (reach.mean((1, 2)) < 0.75) & draw.chance(self.settings.border) & ~replaced
        chosen = (bare | replaced).nonzero()[:, 0]
        if not len(chosen):
            return scene
        other = self._tensor(draw.rng.integers(0, len(bank.offset), self.batch))[chosen]
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
        self, draw: Draws, scene: Scene, donors: NDArray, wanted: Tensor, covering: bool
    ) -> Scene:
        """Another object beside the target, or over a part of it."""
        bank, size = self.bank, scene.image.shape[-1]
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


def _visible(boxes: Tensor, size: int) -> Tensor:
    middle = boxes[..., :2] + boxes[..., 2:] / 2
    inside = ((middle > 0) & (middle < size)).all(-1) & (boxes[..., 2:] > 0).all(-1)
    return inside[..., None]


class _Index:
    """Which rows go together: `pairs._Tracks` for whole batches."""

    def __init__(self, bank: FrameBank, negative: float) -> None:
        rows, self.negative = bank.rows, negative
        names, source = np.unique(rows.source, return_inverse=True)
        self.table = TrackTable(source, rows.track, names.tolist())
        self.clip = np.unique(joined(rows.source, rows.clip), return_inverse=True)[1]
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
        positive = rng.random(count) >= self.negative
        for at in np.flatnonzero(~positive).tolist():
            other = self._stranger(rng, int(rows[at]))
            partners[at], positive[at] = (other, False) if other >= 0 else (rows[at], True)
        return rows, partners, positive

    def _stranger(self, rng: np.random.Generator, row: int) -> int:
        """A row of another clip, often of the same class; -1: none found."""
        kind = int(self.category[row])
        if kind != self.nameless and rng.random() < SAME_CLASS:
            for other in rng.choice(self.members[kind], 4).tolist():
                if self.clip[other] != self.clip[row]:
                    return int(other)
        others = self._row_of(rng, self.table.draw_many(rng, 8))
        far = others[self.clip[others] != self.clip[row]]
        return int(far[0]) if len(far) else -1

    def donors(self, rng: np.random.Generator, rows: NDArray, own: float) -> NDArray:
        """A row to paste into the view of each row: itself, one of its class, or any masked one."""
        result = rows.copy()
        for at in np.flatnonzero(rng.random(len(rows)) >= own).tolist():
            row = int(rows[at])
            kind = int(self.category[row])
            named = kind != self.nameless and len(self.members[kind]) > 1
            if named and rng.random() < SAME_CLASS:
                result[at] = int(rng.choice(self.members[kind]))
            elif len(self.masked):
                result[at] = int(rng.choice(self.masked))
        return result
