"""What each Visdom mode draws: data of a panel to one call of the visdom client."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .draw import colour, draw_box, heatmap, text_unit

# pytracking's width of the Tracking panel; larger frames are sent smaller.
TRACKING_WIDTH = 480
MAP_SIZE = 256
PLOT_SIZE = (400, 240)
STATUS = {"width": 210, "height": 210}  # of the table: beside Tracking, and never another place
LINE_POINTS = 600  # newest points of a curve that are kept
JPEG_QUALITY = 85


class Panel:
    """One panel: its newest data, and how to send it."""

    def __init__(self, title: str, mode: str) -> None:
        self.title, self.mode = title, mode
        self._data: Any = None
        self._points: deque[tuple[float, float]] = deque(maxlen=LINE_POINTS)

    def set(self, data: Any) -> None:
        """Newest data; a line plot appends it.

        Raises:
            ParameterError: data that the mode cannot draw.
        """
        if self.mode != "lineplot":
            self._data = data
            return
        pair = isinstance(data, tuple | list) and len(data) == 2
        y, x = (data[0], data[1]) if pair else (data, None)
        values = np.asarray(as_array(y), np.float64).reshape(-1)
        if values.size == 0:
            raise ParameterError(f"panel {self.title!r}: lineplot needs a number, not {data!r}")
        next_x = self._points[-1][0] + 1 if self._points else 0.0
        at = next_x if x is None else float(np.asarray(as_array(x)).reshape(-1)[-1])
        self._points.append((at, float(values[-1])))

    def snapshot(self) -> Any:
        """Data to send, safe from later calls of `set`."""
        return list(self._points) if self.mode == "lineplot" else self._data

    def send(self, client: Any, data: Any) -> None:
        """Draw with a visdom client; errors of the connection pass through."""
        MODES[self.mode](client, self, data)


def as_array(data: Any) -> NDArray:
    """numpy array of a number, list, array or torch tensor (on any device)."""
    if hasattr(data, "detach"):
        data = data.detach().cpu().numpy()
    return np.asarray(data)


def as_picture(data: Any) -> NDArray[np.uint8]:
    """HxWx3 uint8 RGB of an image HxWx3, 3xHxW, 1x3xHxW or HxW; floats are 0..1 or 0..255."""
    image = as_array(data)
    while image.ndim > 3 and image.shape[0] == 1:
        image = image[0]
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[2] not in (1, 3):
        image = image.transpose(1, 2, 0)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ParameterError(f"image of shape {image.shape} cannot be shown; give HxWx3 or 3xHxW")
    if image.dtype != np.uint8:
        scale = 255.0 if image.size and float(image.max()) <= 1.0 else 1.0
        image = np.clip(image * scale, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def draw_tracking(data: Any) -> NDArray[np.uint8]:
    """Picture of (image, boxes and masks ...), at most 480 pixels wide."""
    items = list(data) if isinstance(data, tuple | list) else [data]
    picture = as_picture(items[0]).copy()
    boxes = masks = 0
    for item in items[1:]:
        for part in item.values() if isinstance(item, Mapping) else [item]:
            array = as_array(part)
            if array.size == 4 and array.ndim <= 2:
                boxes += 1
                box = array.astype(np.float64).reshape(4)
                draw_box(picture, box, colour(boxes), text_unit(picture.shape))
            elif array.ndim == 2 and array.shape == picture.shape[:2]:
                masks += 1
                inside = array > 0.5
                tint = np.array(colour(masks), np.float32)
                picture[inside] = (0.5 * picture[inside] + 0.5 * tint).astype(np.uint8)
            else:
                raise ParameterError(
                    f"Tracking cannot draw an array of shape {array.shape}; give boxes of 4 "
                    f"numbers or masks of {picture.shape[:2]}"
                )
    scale = TRACKING_WIDTH / picture.shape[1]
    if scale >= 1:
        return picture
    size = (TRACKING_WIDTH, max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def plot(points: list[tuple[float, float]]) -> NDArray:
    """A curve as a picture HxWx3: y from 0 to 1, or as far as the values go."""
    width, height = PLOT_SIZE
    picture = np.full((height, width, 3), 255, np.uint8)
    left, right, top, bottom = 44, width - 10, 12, height - 24
    values = np.array(points, np.float64).reshape(-1, 2)
    finite = values[np.isfinite(values).all(axis=1)]
    first, last, low, high = 0.0, 1.0, 0.0, 1.0
    if len(finite):
        low, high = min(low, finite[:, 1].min()), max(high, finite[:, 1].max())
        first, last = finite[:, 0].min(), max(finite[:, 0].max(), finite[:, 0].min() + 1)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = round(bottom + (top - bottom) * share)
        cv2.line(picture, (left, y), (right, y), (225, 225, 225), 1)
        text = f"{low + (high - low) * share:.2f}"
        cv2.putText(picture, text, (6, y + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (90, 90, 90), 1)
    for text, x in ((f"{first:g}", left), (f"{last:g}", right - 34)):
        cv2.putText(picture, text, (x, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (90, 90, 90), 1)
    if len(finite):
        across = left + (finite[:, 0] - first) / (last - first) * (right - left)
        down = bottom + (finite[:, 1] - low) / (high - low) * (top - bottom)
        line = np.stack([across, down], axis=1).round().astype(np.int32)
        cv2.polylines(picture, [line], False, (31, 119, 180), 2, cv2.LINE_AA)
    return picture


def _picture(client: Any, panel: Panel, picture: NDArray[np.uint8]) -> None:
    options = {"title": panel.title, "jpgquality": JPEG_QUALITY}
    client.image(picture.transpose(2, 0, 1), win=panel.title, opts=options)


def _image(client: Any, panel: Panel, data: Any) -> None:
    _picture(client, panel, as_picture(data))


def _tracking(client: Any, panel: Panel, data: Any) -> None:
    _picture(client, panel, draw_tracking(data))


def _bbreg(client: Any, panel: Panel, data: Any) -> None:
    patch, boxes = data
    _picture(client, panel, draw_tracking((patch, *as_array(boxes).reshape(-1, 4))))


def _heatmap(client: Any, panel: Panel, data: Any) -> None:
    values = np.squeeze(as_array(data)).astype(np.float32)
    if panel.mode == "featmap" and values.ndim == 3:
        values = values.mean(axis=0)
    # Four dimensions: for every place the cost of all displacements; shown is the best one.
    if panel.mode.startswith("cost_volume") and values.ndim == 4:
        values = values.max(axis=(0, 1) if panel.mode == "cost_volume_flip" else (2, 3))
    if values.ndim != 2:
        raise ParameterError(f"panel {panel.title!r}: heatmap needs HxW, not {values.shape}")
    if client.has_plotly:
        # Plotly counts rows from below, an image from above.
        options = {"title": panel.title, "colormap": "Viridis"}
        client.heatmap(values[::-1], win=panel.title, opts=options)
        return
    height, width = values.shape
    scale = MAP_SIZE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    client.image(
        heatmap(values, size).transpose(2, 0, 1), win=panel.title, opts={"title": panel.title}
    )


def _info_dict(client: Any, panel: Panel, data: Any) -> None:
    rows = "".join(
        f"<tr><td><b>{html.escape(str(name))}</b>&nbsp;</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in dict(data).items()
    )
    client.text(f"<table>{rows}</table>", win=panel.title, opts={**STATUS, "title": panel.title})


def _text(client: Any, panel: Panel, data: Any) -> None:
    client.text(str(data), win=panel.title, opts={"title": panel.title, "width": 320})


def _lineplot(client: Any, panel: Panel, data: list[tuple[float, float]]) -> None:
    if not client.has_plotly:
        _picture(client, panel, plot(data))
        return
    x, y = (np.array(column) for column in zip(*data, strict=True))
    client.line(Y=y, X=x, win=panel.title, opts={"title": panel.title})


MODES: dict[str, Callable[[Any, Panel, Any], None]] = {
    "image": _image,
    "heatmap": _heatmap,
    "cost_volume": _heatmap,
    "cost_volume_flip": _heatmap,
    "cost_volume_ui": _heatmap,
    "info_dict": _info_dict,
    "text": _text,
    "lineplot": _lineplot,
    "Tracking": _tracking,
    "bbreg": _bbreg,
    "featmap": _heatmap,
}
