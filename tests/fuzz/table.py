"""A row of the table of parsers, and what makes its input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

BOXES = "10,20,30,40\n11,20.5,30,40\nNaN,NaN,NaN,NaN\n"
PICTURE = np.arange(32 * 48 * 3, dtype=np.uint8).reshape(32, 48, 3)
STATE = {"layer.weight": torch.ones(2, 3), "bn.num_batches_tracked": torch.tensor(3)}


@dataclass(frozen=True)
class Parser:
    """A row of the table."""

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]

    def __str__(self) -> str:
        return self.name


def text(file: str, content: str | bytes) -> Callable[[Path], Path]:
    """`make` for one small file."""

    def make(folder: Path) -> Path:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def as_json(file: str, content: Any) -> Callable[[Path], Path]:
    return text(file, json.dumps(content))


def picture(suffix: str) -> bytes:
    return cv2.imencode(suffix, PICTURE)[1].tobytes()


def frames(folder: Path, count: int = 3) -> None:
    for number in range(1, count + 1):
        text(f"img/{number:04d}.png", picture(".png"))(folder)


def got10k(changed: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        root = folder / "val"
        for number in (1, 2, 3):
            text(f"Val_1/{number:08d}.jpg", picture(".jpg"))(root)
        text("list.txt", "Val_1\n")(root)
        text("Val_1/groundtruth.txt", BOXES)(root)
        text("Val_1/cover.label", "8\n0\n8\n")(root)
        text("Val_1/absence.label", "0\n1\n0\n")(root)
        return root / changed

    return make
