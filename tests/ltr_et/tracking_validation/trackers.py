"""Trackers and clips that cost nothing, for the tests of tracking_validation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from ltr_et.tracking_validation.clips import Clip
from ltr_et.tracking_validation.subjects import Subject

from ..tiny import scene, write_image


class Standing:
    """Says the first box in every frame, `shift` pixels to the right."""

    def __init__(self, shift):
        self.shift, self.steps = shift, 0

    def start(self, image, box):
        assert image.shape == (120, 160, 3)
        self.box = box

    def step(self, image):
        self.steps += 1
        return self.box + [self.shift, 0, 0, 0]


@dataclass(frozen=True)
class Fake(Subject):
    """A subject of `Standing` trackers; picklable, so that worker processes take it."""

    shift: float = 0.0

    @property
    @override
    def key(self):
        return f"fake {self.shift}"

    @override
    def open(self):
        return lambda: Standing(self.shift)


def clip(folder: Path, name="a", frames=60, part="shared", source=None, restart=(20, 40, 25)):
    """A clip whose target stays where it is; all frames are one file."""
    path = folder / f"{name}.jpg"
    if not path.is_file():
        write_image(path, scene([(40, 30, 24, 36)]))
    boxes = np.tile([40.0, 30.0, 24.0, 36.0], (frames, 1))
    return Clip(part, source or name, name, (str(path),) * frames, boxes, restart)
