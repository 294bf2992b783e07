"""Rendered clips in the training pack's layout, for where there is no data at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import pandas as pd

from pytracking_et.errors import ResultsError
from pytracking_et.files import atomic_open
from pytracking_et.live.clip import render

SOURCE = "rendered"
# The demo shows seed 0; training on it would make the demo prove nothing.
FIRST_SEED = 1000
# So many that some of their names are drawn for validation (`build_crops.is_held_out`).
CLIPS = 40


def write_clips(root: Path, clips: int = CLIPS, frames: int = 15, every: int = 2) -> Path:
    """Render clips into `root/video/rendered` unless they are there; returns `root`.

    Args:
        clips: number of clips, one target each.
        frames: frames kept of each clip, every `every`-th one.

    Raises:
        ResultsError: an image cannot be written.
    """
    folder = Path(root) / "video" / SOURCE
    table = folder / "annotations.csv"
    if table.is_file():
        return Path(root)
    rows = []
    for clip in range(clips):
        track = f"clip{clip:03d}"
        (folder / track).mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(render(frames * every, FIRST_SEED + clip)):
            if number % every:
                continue
            path = folder / track / f"{number:05d}.jpg"
            done, data = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
            if not done:
                raise ResultsError(f"OpenCV cannot encode {path} as JPEG")
            data.tofile(path)
            rows.append([track, f"{number:05d}", *(round(float(v), 2) for v in frame.box)])
    columns = ["track", "frame", "x", "y", "w", "h"]
    # Last of all: the table's presence says that the clips are complete.
    with atomic_open(table) as stream:
        pd.DataFrame(rows, columns=columns).to_csv(stream, index=False)
    return Path(root)
