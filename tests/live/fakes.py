"""A tracker without a network and videos with known pixels, for the tests of the live room."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pytracking_et.live.sources import Frame

# Pure colours survive a lossy codec well enough to tell red from blue.
RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


class ColourTracker:
    """Finds the pixels that look like the middle of the first box; score: how many are there."""

    def __init__(self):
        self.box = self.tint = self.area = None
        self.shapes = []
        self.score_map = self.search_crop = None

    def init(self, image, box):
        x, y, w, h = np.asarray(box, float)
        self.box = np.array([x, y, w, h])
        self.tint = image[int(y + h / 2), int(x + w / 2)].astype(int)
        self.area = float(w * h)

    def update(self, image):
        self.shapes.append(image.shape)
        close = np.abs(image.astype(int) - self.tint).max(axis=2) < 60
        self.score_map = np.full((18, 18), 0.25, np.float32)
        self.score_map[9, 9] = 0.9
        self.search_crop = cv2.resize(image, (256, 256))
        rows, columns = np.nonzero(close)
        if not len(rows):
            return self.box, 0.1
        self.box = np.array(
            [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1], float
        )
        return self.box, min(1.0, len(rows) / self.area)


def picture(index=0, size=(96, 128), tint=RED, background=(90, 90, 90)):
    """RGB frame with a 20x16 block of `tint` that moves 2 px to the right a frame."""
    image = np.full((*size, 3), background, np.uint8)
    x = 10 + 2 * index
    image[30:46, x : x + 20] = tint
    return image


def write_video(path: Path, frames=12, size=(96, 128), fps=25.0, tint=RED) -> Path:
    """A real video file of `picture`s, written with OpenCV directly."""
    images = [picture(index, size, tint) for index in range(frames)]
    return write_frames(path, images, "MJPG" if path.suffix == ".avi" else "mp4v", fps)


def write_frames(path: Path, images, code, fps=25.0) -> Path:
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


class ListSource:
    """A source of ready images; `fail` is raised after them, `period` seconds between."""

    fps = 30.0

    def __init__(self, images, live=False, fail=None, period=0.0, hang=False):
        self.images, self.live, self.fail = images, live, fail
        self.period, self.hang = period, hang
        self.name, self.length = "list", None if live else len(images)
        self.closed = threading.Event()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.closed.set()

    def __iter__(self):
        for index, image in enumerate(self.images):
            yield Frame(index, image, time.monotonic())
            time.sleep(self.period)
        if self.hang:
            self.closed.wait(10)
        if self.fail is not None:
            raise self.fail


@contextmanager
def serving(server):
    """The port of a `socketserver` that answers in a thread within the block."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, seconds=60, what="nothing"):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.02)
    return value
