"""Frames of training data in a device's memory, and views of them as batched tensor operations.

On a large GPU the making of pairs, not the network, bounds training: one affine warp, a blur and a
paste cost a core half a millisecond each. Here all frames lie in one buffer of the device, decoded
once, and a batch of views is a handful of tensor operations. Views equal those of `views.warp` to
a grey level (tests/ltr_et/data/test_bank.py): bilinear without prefilter, plain colour outside.

A pixel is one int32: red, green, blue, and in the highest byte which object of the frame covers it
(1-based place among the frame's rows, 0: none or unknown), so that masks are sampled with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pytracking_et.errors import DatasetError, ImageError

from ..dataset.base import BaseDataset, Image
from ..dataset.pack import is_pseudo
from .build_crops import held_out_clips

# Instances of a frame that its highest byte can name.
_MOST_INSTANCES = 127


@dataclass(frozen=True)
class Rows:
    """What is known of N labelled objects; a frame's rows follow one another.

    Attributes:
        source: names, (N,).
        track: names, (N,).
        clip: names, (N,).
        category: names, (N,).
        frame: number of the frame in the bank.
        box: (N, 4) float32 x, y, w, h in the frame's pixels (edge coordinates).
        instance: 1-based place among the frame's rows, as in its pixels.
        masked: whether the frame's pixels tell the object's mask.
        pseudo: loose box.
    """

    source: NDArray[np.str_]
    track: NDArray[np.str_]
    clip: NDArray[np.str_]
    category: NDArray[np.str_]
    frame: NDArray[np.int64]
    box: NDArray[np.float32]
    instance: NDArray[np.int64]
    masked: NDArray[np.bool_]
    pseudo: NDArray[np.bool_]


class FrameBank:
    """All frames of some data sets on a device.

    Attributes:
        rows: the objects.
        pixels: (P,) int32, all frames one after the other, row by row.
        offset: (F,) int64 first pixel of each frame.
        size: (F, 2) int64 width, height.
        fill: (F, 3) float32 mean colour.
        box: rows' boxes, (N, 4), on the device.
        first: (F,) first row of each frame.
        count: (F,) rows of each frame.
        unreadable: messages of images that were left out.
    """

    def __init__(
        self, datasets: Sequence[BaseDataset], device: torch.device | str = "cpu", workers: int = 8
    ) -> None:
        """Decode and place everything but the clips kept for validation.

        Args:
            workers: threads that decode.

        Raises:
            DatasetError: no readable object in the data sets.
        """
        self.unreadable: list[str] = []
        found = [frame for dataset in datasets for frame in _frames(dataset)]
        with ThreadPoolExecutor(workers) as pool:
            decoded = [one for one in pool.map(self._decoded, found) if one is not None]
        if not decoded:
            raise DatasetError("no readable labelled frame in the data sets; is the folder right?")
        self.rows = _rows(frame.rows for frame, _ in decoded)
        sizes = np.array([pixels.shape[::-1] for _, pixels in decoded], np.int64)
        ends = np.cumsum(sizes.prod(1))
        flat = np.concatenate([pixels.reshape(-1) for _, pixels in decoded])
        fill = np.stack([frame.fill for frame, _ in decoded])
        counts = np.bincount(self.rows.frame, minlength=len(decoded))
        self.device = torch.device(device)
        self.pixels = torch.from_numpy(flat).to(device)
        self.offset = torch.from_numpy(ends - sizes.prod(1)).to(device)
        self.size = torch.from_numpy(sizes).to(device)
        self.fill = torch.from_numpy(fill.astype(np.float32)).to(device)
        self.box = torch.from_numpy(self.rows.box).to(device)
        self.instance = torch.from_numpy(self.rows.instance).to(device)
        self.frame = torch.from_numpy(self.rows.frame).to(device)
        self.count = torch.from_numpy(counts).to(device)
        self.first = torch.from_numpy(np.cumsum(counts) - counts).to(device)

    def _decoded(self, frame: _Frame) -> tuple[_Frame, NDArray[np.int32]] | None:
        cv2.setNumThreads(1)
        try:
            image = frame.dataset.read_frame(frame.sequence, frame.number)
            instances = frame.instances(image)
        except ImageError as error:
            self.unreadable.append(str(error))
            return None
        frame.fill[:] = image.mean((0, 1))
        return frame, packed(image, instances)

    def others(self, row: Tensor, most: int) -> Tensor:
        """Boxes of the other objects in the frames of rows (B,) -> (B, most, 4), zeros: none."""
        frame = self.frame[row]
        place = torch.arange(most, device=self.device)
        index = self.first[frame][:, None] + place
        there = (place < self.count[frame][:, None]) & (index != row[:, None])
        return self.box[index.clamp_max(len(self.box) - 1)] * there[..., None]

    def views(
        self, frame: Tensor, matrix: Tensor, size: int, instance: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cut views by matrices from frame to view, as `views.warp` does.

        Args:
            frame: (B,) numbers of frames.
            matrix: (B, 2, 2) float64: per axis (x, y) factor and shift, view = factor * frame +
                shift in edge coordinates (pixel i covers [i, i + 1)); a flip has a negative factor.
            size: side of the views in pixels.
            instance: (B,) object whose mask is wanted (see the module), 0: none.

        Returns:
            Images (B, 3, size, size) float32 0..255 RGB, and coverage (B, size, size) 0..1 of the
            object; without `instance` of the frame itself (0 outside).
        """
        place = torch.arange(size, device=self.device, dtype=torch.float64) + 0.5
        source = (place - matrix[:, :, 1:]) / matrix[:, :, :1] - 0.5
        low = source.floor()
        share = (source - low).float()
        low = low.long()
        width, height = self.size[frame].unbind(1)
        base = self.offset[frame][:, None, None]
        image = torch.zeros(len(frame), 3, size, size, device=self.device)
        cover = torch.zeros(len(frame), size, size, device=self.device)
        fill = self.fill[frame][:, :, None, None]
        for dy in (0, 1):
            y = low[:, 1] + dy
            inside_y = (y >= 0) & (y < height[:, None])
            weight_y = share[:, 1] if dy else 1 - share[:, 1]
            line = y.clamp_min(0).minimum(height[:, None] - 1) * width[:, None]
            for dx in (0, 1):
                x = low[:, 0] + dx
                inside = inside_y[:, :, None] & ((x >= 0) & (x < width[:, None]))[:, None]
                weight = weight_y[:, :, None] * (share[:, 0] if dx else 1 - share[:, 0])[:, None]
                column = x.clamp_min(0).minimum(width[:, None] - 1)
                value = self.pixels[base + line[:, :, None] + column[:, None]]
                color = torch.stack([value & 255, value >> 8 & 255, value >> 16 & 255], 1)
                image += torch.where(inside[:, None], color.float(), fill) * weight[:, None]
                if instance is not None:
                    inside = inside & (value >> 24 == instance[:, None, None])
                    inside = inside & (instance > 0)[:, None, None]
                cover += inside * weight
        return image, cover


def move_boxes(boxes: Tensor, matrix: Tensor) -> Tensor:
    """Boxes (B, ..., 4) through matrices (B, 2, 2); a flip keeps w positive."""
    shape = (len(boxes), *[1] * (boxes.ndim - 2), 2)
    factor, shift = matrix[:, :, 0].reshape(shape), matrix[:, :, 1].reshape(shape)
    first = boxes[..., :2] * factor + shift
    second = (boxes[..., :2] + boxes[..., 2:]) * factor + shift
    low = torch.minimum(first, second)
    return torch.cat([low, torch.maximum(first, second) - low], -1).float()


def packed(image: Image, instances: NDArray[np.uint8] | None) -> NDArray[np.int32]:
    """Image (H, W, 3) uint8 RGB and instance map (H, W) or None -> (H, W) int32."""
    four = np.zeros((*image.shape[:2], 4), np.uint8)
    four[:, :, :3] = image
    if instances is not None:
        four[:, :, 3] = instances
    return four.view("<i4")[:, :, 0].astype(np.int32)


@dataclass
class _Frame:
    """An image file with its labelled objects, before it is decoded."""

    dataset: BaseDataset
    sequence: int
    number: int
    rows: list[dict[str, Any]]
    fill: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(3, np.uint8))

    def instances(self, image: Image) -> NDArray[np.uint8] | None:
        """Instance map of the decoded frame (H, W), or None where no object has a mask."""
        result = None
        for place, row in enumerate(self.rows[:_MOST_INSTANCES], 1):
            sequence, number = row.pop("at")
            mask = self.dataset.mask(sequence, number, image)
            if mask is not None:
                result = np.zeros(mask.shape, np.uint8) if result is None else result
                result[mask] = place
                row["masked"] = True
        return result


def _frames(dataset: BaseDataset) -> list[_Frame]:
    kept = held_out_clips(dataset)
    frames: dict[Any, _Frame] = {}
    for sequence in range(len(dataset)):
        clip = dataset.clip_name(sequence)
        if clip in kept:
            continue
        info = dataset.get_sequence_info(sequence)
        for number in np.flatnonzero(info["valid"] & info["visible"]).tolist():
            path = dataset.frame_path(sequence, number)
            frame = frames.setdefault(path, _Frame(dataset, sequence, number, []))
            frame.rows.append({
                "source": dataset.name, "track": dataset.track_name(sequence), "clip": clip,
                "category": dataset.category(sequence), "pseudo": is_pseudo(dataset.name),
                "masked": False, "box": info["bbox"][number], "at": (sequence, number),
            })  # fmt: skip
    return list(frames.values())


def _rows(frames: Any) -> Rows:
    table: list[dict[str, Any]] = []
    for index, rows in enumerate(frames):
        for place, row in enumerate(rows, 1):
            row.pop("at", None)
            table.append(row | {"frame": index, "instance": place})
    columns = {name: np.array([row[name] for row in table]) for name in table[0]}
    columns["box"] = columns["box"].astype(np.float32).reshape(-1, 4)
    return Rows(**columns)
