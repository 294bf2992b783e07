"""NanoTrack v3 and FEAR-XS by ONNX Runtime: one loop, in which only crops and constants differ.

Both networks say, for each of S x S points 16 pixels apart, whether the target is there and how far
its sides are. A cell's score is lowered by its change of size and shape, mixed with a cosine
window, and the best cell's box is taken, its size smoothed. One thread, as the engines here.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import onnxruntime

from pytracking_et.network.constants import STRIDE

Array = np.ndarray


class Siamese:
    """The loop; boxes x, y, w, h in pixels, images (H, W, 3) uint8 RGB."""

    window: float
    penalty: float
    rate: float
    search: int  # side of the search crop

    def start(self, image: Array, box: Array) -> None:
        self.center, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.fill = image.mean((0, 1))
        self.feature = self.embed(image)

    def embed(self, image: Array) -> Array:
        """Features of the template."""
        raise NotImplementedError

    def region(self) -> Array:
        """Width and height of the search region in frame pixels."""
        raise NotImplementedError

    def maps(self, patch: Array) -> tuple[Array, Array]:
        """Scores (S, S) 0..1 and distances (4, S, S) left, top, right, bottom in crop pixels."""
        raise NotImplementedError

    def step(self, image: Array) -> tuple[Array, float]:
        patch, middle, scale = cut(image, self.center, self.region(), self.search, self.fill)
        score, (left, top, right, bottom) = self.maps(patch)
        points = (np.arange(len(score)) - len(score) // 2) * STRIDE
        x, y = points + (right - left) / 2, points[:, None] + (bottom - top) / 2
        width, height = np.maximum(left + right, 1e-3), np.maximum(top + bottom, 1e-3)
        wanted = self.size * scale
        change = _change(_extent(width, height) / _extent(*wanted))
        change = change * _change((width / height) / (wanted[0] / wanted[1]))
        penalty = np.exp((1 - change) * self.penalty)
        hann = np.outer(np.hanning(len(score)), np.hanning(len(score)))
        at = np.unravel_index(
            np.argmax(penalty * score * (1 - self.window) + hann * self.window), score.shape
        )
        rate = penalty[at] * score[at] * self.rate
        limits = np.array(image.shape[1::-1], float)
        found = np.array([width[at], height[at]]) / scale
        self.size = np.clip(self.size * (1 - rate) + found * rate, 10, limits)
        self.center = np.clip(middle + np.array([x[at], y[at]]) / scale, 0, limits)
        return np.concatenate([self.center - self.size / 2, self.size]), float(score[at])


class NanoTrackV3(Siamese):
    """HonglinChu/SiamTrackers: square crops, raw BGR."""

    window, penalty, rate, search = 0.455, 0.138, 0.348, 255
    template = 127

    def __init__(self, backbone: str, head: str) -> None:
        self.backbone, self.head = session(backbone, free=True), session(head)

    def side(self) -> float:
        """Of the template's region: target with half its width plus height as context."""
        return _extent(*self.size)

    def embed(self, image: Array) -> Array:
        side = np.full(2, self.side())
        patch, _, _ = cut(image, self.center, side, self.template, self.fill)
        return self._features(patch)

    def region(self) -> Array:
        return np.full(2, self.side() * self.search / self.template)

    def maps(self, patch: Array) -> tuple[Array, Array]:
        inputs = {"input1": self.feature, "input2": self._features(patch)}
        logits, distances = self.head.run(None, inputs)
        return 1 / (1 + np.exp(logits[0, 0] - logits[0, 1])), distances[0]

    def _features(self, patch: Array) -> Array:
        planes = patch[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        return self.backbone.run(None, {"input": planes})[0]


class FearXS(Siamese):
    """PinataFarms/FEARTracker: crops follow the box's shape and are squashed to squares."""

    window, penalty, rate, search = 0.38, 0.062, 0.765, 256
    template = 128
    mean = np.array([123.675, 116.28, 103.53], np.float32)

    def __init__(self, template: str, search: str) -> None:
        self.backbone, self.network = session(template), session(search)

    def embed(self, image: Array) -> Array:
        patch, _, _ = cut(image, self.center, 1.4 * self.size, self.template, self.fill)
        return self.backbone.run(None, {"image": self._planes(patch)})[0]

    def region(self) -> Array:
        return 5 * self.size

    def maps(self, patch: Array) -> tuple[Array, Array]:
        inputs = {"image": self._planes(patch), "template_features": self.feature}
        logits, distances = self.network.run(None, inputs)
        return 1 / (1 + np.exp(-logits[0, 0])), distances[0]

    def _planes(self, patch: Array) -> Array:
        return (patch - self.mean).transpose(2, 0, 1)[None].astype(np.float32)


def cut(
    image: Array, center: Array, size: Array, output: int, fill: Array
) -> tuple[Array, Array, Array]:
    """Whole pixels around a place, scaled to a square.

    Returns:
        (output, output, 3) uint8; the place of its middle in the frame; crop pixels per frame
        pixel in x and y.
    """
    width, height = (max(1, round(float(value))) for value in size)
    left = round(float(center[0]) - width / 2)
    top = round(float(center[1]) - height / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, image.shape[1]), min(top + height, image.shape[0])
    patch = np.empty((height, width, 3), np.uint8)
    patch[:] = fill
    if x1 > x0 and y1 > y0:
        patch[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    middle = np.array([left + width / 2, top + height / 2])
    return cv2.resize(patch, (output, output)), middle, output / np.array([width, height], float)


@lru_cache(maxsize=8)
def session(path: str, free: bool = False) -> onnxruntime.InferenceSession:
    """One session a file and process; `free` forgets the size of its inputs and outputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model: str | bytes = path
    if free:
        import onnx

        graph = onnx.load(path)
        for value in (*graph.graph.input, *graph.graph.output):
            for number, side in enumerate(value.type.tensor_type.shape.dim):
                if number >= 2:
                    side.dim_param = f"side{number}"
        del graph.graph.value_info[:]
        model = graph.SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _extent(width: Array | float, height: Array | float) -> Array:
    padding = (width + height) / 2
    return np.sqrt((width + padding) * (height + padding))


def _change(ratio: Array) -> Array:
    return np.maximum(ratio, 1 / ratio)
