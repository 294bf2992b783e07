"""pytracking's playback_results, headless: a video file instead of a window."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..boxtables import PathArgument
from ..frames import read_image
from ..settings import env_settings
from ..videos import VideoWriter
from . import CallableModule
from .looks import box_colors
from .strips import draw_boxes, put_text, rgb
from .tables import written
from .trackers import describe, folder_of, style_name


def playback_results(
    trackers: Sequence[Any],
    sequence: Any,
    output: PathArgument | None = None,
    fps: float = 30.0,
    subpixel: bool = False,
) -> Path:
    """Write a video of the results of trackers on a sequence; ground truth is white.

    Args:
        trackers: as `plot_results`.
        sequence: object with name, frames, ground_truth_rect.
        output: the .mp4 file; by default `<result_plot_path>/playback/<sequence>.mp4`.

    Returns:
        The file written.

    Raises:
        ResultsError: a tracker has no results of the sequence; see `VideoWriter`.
        ImageError: a frame cannot be read.
    """
    name = str(sequence.name)
    target = Path(output or Path(env_settings().result_plot_path) / "playback" / f"{name}.mp4")
    dataset = str(getattr(sequence, "dataset", ""))
    boxes = [folder_of(one, dataset).boxes([name], subpixel)[name] for one in trackers]
    described = [describe(one) for one in trackers]
    labels = [one["label"] for one in described]
    colors = box_colors([style_name(one) for one in described])
    truth = np.asarray(sequence.ground_truth_rect, dtype=np.float64)
    paths = list(sequence.frames)
    # Of a video that breaks off, nothing is kept.
    with written(target) as temporary, VideoWriter(temporary, fps) as writer:
        for i, path in enumerate(paths):
            image = read_image(path)
            row = truth[i] if i < len(truth) else np.full(4, np.nan)
            mine = [(c, b[i]) for c, b in zip(colors, boxes, strict=True) if i < len(b)]
            draw_boxes(image, row, mine)
            put_text(image, f"{name} #{i + 1}", (6, 20), 0.6)
            for j, (label, color) in enumerate(zip(labels, colors, strict=True)):
                bottom = image.shape[0] - 8 - 18 * (len(labels) - 1 - j)
                put_text(image, label, (6, bottom), 0.5, rgb(color))
            writer.write(image)
    return target


sys.modules[__name__].__class__ = CallableModule
