"""A tracker whose boxes follow from the pixels, and which fails as the first box tells it to.

The width of the first box is the order: see ORDERS. Boxes depend on image content and on the
number of frames seen, so that a skipped, repeated or swapped frame shows in the result files.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

ORDERS = {
    101.0: "raise",
    102.0: "die",  # every time
    103.0: "die once",  # the first time; FAKE_MARKER names the file that remembers
    104.0: "nan",
    105.0: "no box",
    106.0: "segfault",
    107.0: "exit",
    108.0: "generator exit",
    109.0: "hang",
    110.0: "long text",
    111.0: "fork and die once",
    112.0: "wait once",  # for ever, the first time; says so in FAKE_MARKER-WIDTH
    113.0: "wait once",
}


def get_tracker_class():
    return Fake


class Fake:
    multiobj_mode = "parallel"

    def __init__(self, params):
        self.params = params
        self.visdom = None
        self.drawn = []

    def initialize(self, image, info):
        self.box = np.array([float(v) for v in info["init_bbox"]])
        self.order = ORDERS.get(self.box[2], "")
        self.frame = 0
        if self.params.get("init_box_out", False):
            return {"target_bbox": [1.5, 2.5, 3.5, 4.5], "time": 0.25, "object_presence_score": 0.5}
        return None

    def track(self, image, info=None):
        self.frame += 1
        time.sleep(self.params.get("delay", 0.0))
        if self.frame == 2:
            self._obey()
        self.box[:2] += 0.01 * image.mean() - 0.7
        self.previous = info["previous_output"] if info else None
        out = {"target_bbox": self.box.tolist()}
        if self.order == "nan" and self.frame == 2:
            out["target_bbox"] = [1.0, float("nan"), 3.0, 4.0]
        if self.order == "no box" and self.frame == 2:
            del out["target_bbox"]
        if self.params.get("scores", True):
            out["object_presence_score"] = 1.0 / (1 + self.frame)
        if self.params.get("report_environment", False):
            out["object_presence_score"] = self._environment()
        return out

    def _environment(self):
        import cv2

        device = os.environ.get("CUDA_VISIBLE_DEVICES", "-1")
        return (
            int(os.environ.get("OMP_NUM_THREADS", 0)) * 100
            + cv2.getNumThreads()
            + (float(device) / 10)
        )

    def _obey(self):
        if self.order == "raise":
            raise RuntimeError("the fake tracker was told to fail")
        if self.order == "segfault":
            import ctypes

            ctypes.string_at(0)
        if self.order == "exit":
            sys.exit(0)
        if self.order == "generator exit":
            raise GeneratorExit
        if self.order == "hang":
            Path(os.environ["FAKE_MARKER"]).touch()
            time.sleep(600)
        if self.order == "wait once":
            told = Path(f"{os.environ['FAKE_MARKER']}-{self.box[2]:g}")
            if not told.exists():
                told.touch()
                time.sleep(600)
        if self.order == "long text":
            raise ValueError("x" * 1_000_000)
        marker = Path(os.environ.get("FAKE_MARKER", "/nonexistent"))
        once = self.order in ("die once", "fork and die once")
        if self.order == "die" or (once and not marker.exists()):
            if once:
                marker.write_text("died", encoding="utf-8")
            if self.order.startswith("fork") and hasattr(os, "fork") and os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            os.kill(os.getpid(), 9)

    def visdom_draw_tracking(self, image, box, segmentation=None):
        self.visdom.append((image.shape, box))
