"""The demo: render a clip, track it, show how well that went. No data, no download."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import iou
from ..errors import ResultsError
from ..files import atomic_path
from ..videos import VideoWriter
from .clip import FPS, ClipFrame, render
from .draw import WHITE, Mark, annotate, draw_box, text_unit
from .session import SingleTracker

SHEET_COLUMNS, SHEET_ROWS = 3, 4
TILE = (420, 236)


@dataclass(frozen=True)
class DemoResult:
    """How the demo went.

    Attributes:
        ious: overlap with the true box, one per frame after the first.
        fps: frames a second of the tracker alone, without rendering and writing.
        video: the file written.
        sheet: the file written.
    """

    ious: NDArray[np.float64]
    fps: float
    video: Path
    sheet: Path

    @property
    def mean_iou(self) -> float:
        """Mean overlap; the first frame, which is given, does not count."""
        return float(self.ious.mean())


def run_demo(
    tracker: SingleTracker,
    output: str | os.PathLike[str] = "output",
    frames: int = 150,
    seed: int = 0,
    on_frame: Callable[[], object] | None = None,
) -> DemoResult:
    """Render the clip, track it and write `demo.mp4` and `demo.png` (a contact sheet).

    Args:
        tracker: gets RGB frames of 640x360.
        output: folder; made if absent.
        frames: of the clip; see `clip.render`.
        seed: of the clip.
        on_frame: called after each frame (progress bar).

    Raises:
        ParameterError: too few frames. ResultsError: the folder cannot be written.
    """
    folder = Path(output)
    sampled = np.linspace(0, frames - 1, SHEET_COLUMNS * SHEET_ROWS).round().astype(int)
    tiles: list[NDArray[np.uint8]] = []
    overlaps: list[float] = []
    spent = 0.0
    clip = render(frames, seed)
    first = next(clip)  # raises before a file is opened
    with VideoWriter(folder / "demo.mp4", FPS) as writer:
        for index, frame in enumerate(chain([first], clip)):
            started = time.perf_counter()
            if index == 0:
                tracker.init(frame.image, frame.box)
                box, score = frame.box, 1.0
            else:
                box, score = tracker.update(frame.image)
                spent += time.perf_counter() - started
                overlaps.append(float(iou(box, frame.box)))
            text = f"frame {index}" + (f"  IoU {overlaps[-1]:.2f}" if index else "  given")
            picture = _picture(frame, Mark(1, box, score), text)
            writer.write(picture)
            if index in sampled:
                tiles.append(np.asarray(cv2.resize(picture, TILE, interpolation=cv2.INTER_AREA)))
            if on_frame is not None:
                on_frame()
    sheet = folder / "demo.png"
    write_png(sheet, contact_sheet(tiles, SHEET_COLUMNS))
    fps = len(overlaps) / spent if spent else 0.0
    return DemoResult(np.array(overlaps), fps, folder / "demo.mp4", sheet)


def _picture(frame: ClipFrame, mark: Mark, text: str) -> NDArray[np.uint8]:
    """The true box white below, the tracker's coloured above it."""
    truth = frame.image.copy()
    draw_box(truth, frame.box, WHITE, text_unit(truth.shape), broken=True)
    return annotate(truth, [mark], text, "white: true box")


def contact_sheet(tiles: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures of equal size HxWx3 side by side, row by row; gaps are white."""
    blank = np.full_like(tiles[0], 255)
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.hstack(padded[at : at + columns]) for at in range(0, len(padded), columns)]
    return np.vstack(rows)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an RGB picture, whole or not at all.

    Raises:
        ResultsError: the folder cannot be written.
    """
    ok, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not ok:
        raise ResultsError(f"picture {str(path)!r} of shape {picture.shape} cannot be encoded")
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data.tobytes())
    except OSError as error:
        raise ResultsError(f"picture {str(path)!r} cannot be written: {error}") from error
