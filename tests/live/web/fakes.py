"""A small real tracker (template matching) with ETTracker's interface, and clips to feed it."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from pytracking_et.live.web.uploads import Limits

from ..fakes import write_frames

WIDTH, HEIGHT = 160, 120
SIDE = 24


class MatchTracker:
    """Follows the target by normalised correlation with its first appearance."""

    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds  # makes a run long enough to act on while it lasts

    def init(self, image, box):
        self.box = np.asarray(box, float)
        x, y, w, h = (round(value) for value in self.box)
        self.template = image[max(y, 0) : y + h, max(x, 0) : x + w].copy()

    def update(self, image):
        time.sleep(self.seconds)
        scores = cv2.matchTemplate(image, self.template, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(scores)
        self.box[:2] = x, y
        return self.box.copy(), float(np.clip(best, 0, 1))


class BrokenTracker(MatchTracker):
    """Fails on its third frame."""

    count = 0

    def update(self, image):
        self.count += 1
        if self.count == 3:
            raise RuntimeError("the engine fell over")
        return super().update(image)


def true_box(index: int) -> tuple[int, int, int, int]:
    return 10 + 2 * index, 20 + index, SIDE, SIDE


def frame(index: int, hidden: bool = False, size=(WIDTH, HEIGHT)) -> np.ndarray:
    """RGB: a checkered square that moves by (2, 1) pixels per frame over a smooth background."""
    width, height = size
    ramp = np.linspace(60, 180, width, dtype=np.uint8)
    image = np.repeat(np.repeat(ramp[None, :, None], height, 0), 3, 2)
    if not hidden:
        x, y, w, h = true_box(index)
        checker = (np.indices((h, w)).sum(0) // 6 % 2 * 200 + 30).astype(np.uint8)
        image[y : y + h, x : x + w] = np.dstack([checker, 255 - checker, checker // 2])
    return image


def write_clip(path: Path, frames: int = 20, hidden=(), code: str = "mp4v") -> Path:
    """A video file of `frame`s; the target is absent in the frames `hidden`."""
    return write_frames(path, [frame(index, index in hidden) for index in range(frames)], code)


def jpeg(image: np.ndarray) -> bytes:
    good, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert good
    return data.tobytes()


def upload(client, clip: Path) -> dict:
    """Description of a session with the clip."""
    answer = client.post("/api/videos?name=clip.mp4", content=clip.read_bytes())
    assert answer.status_code == 201, answer.text
    return answer.json()


SMALL = Limits(upload_bytes=200_000, sessions=3, idle_seconds=60.0)
