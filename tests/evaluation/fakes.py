"""Tiny sequences on disk for the fake tracker of tests/fakelab."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from pytracking_et.evaluation import Sequence, SequenceList, Tracker, run_dataset

SPECS = [("a", 3, 20.0), ("b c", 6, 20.0), ("ü", 4, 20.0)]


def run(sequences, tracker=None, **keywords):
    """Run the fake tracker, or another."""
    return run_dataset(sequences, [tracker or Tracker("fake", "plain")], **keywords)


def make_sequence(
    folder: Path,
    name: str = "alpha",
    frames: int = 5,
    width: float = 20.0,
    dataset: str = "otb",
    size: tuple[int, int] = (24, 32),
) -> Sequence:
    """Frames of noise as PNG; `width` of the first box is the fake tracker's order."""
    rng = np.random.default_rng(sum(map(ord, name)))
    images = folder / name / "img"
    images.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(1, frames + 1):
        path = images / f"{number:04d}.png"
        image = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        # cv2.imwrite cannot open non-ASCII names on Windows.
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        paths.append(str(path))
    truth = np.tile([4.0, 3.0, width, 10.0], (frames, 1))
    return Sequence(name, paths, dataset, truth)


def make_list(folder: Path, *specs: tuple[str, int, float]) -> SequenceList:
    """Several sequences: (name, frames, width of the first box)."""
    return SequenceList(make_sequence(folder, *spec) for spec in specs)


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of the box and score files: all that must not depend on when a run was stopped."""
    names = ("manifest.json", "failures.log")
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.name not in names
        and not path.name.startswith(".lock")
        and not path.name.endswith("_time.txt")
    }


def write_otb(root: Path, *specs: tuple[str, int, float]) -> Path:
    """An OTB folder with its own table: (name, frames, width of the first box)."""
    table = []
    for name, frames, width in specs:
        sequence = make_sequence(root, name, frames, width)
        lines = [",".join(f"{value:g}" for value in box) for box in sequence.ground_truth_rect]
        (root / name / "groundtruth_rect.txt").write_text("\n".join(lines) + "\n")
        place = {"path": f"{name}/img", "anno_path": f"{name}/groundtruth_rect.txt"}
        numbers = {"startFrame": 1, "endFrame": frames, "nz": 4, "ext": "png", "initOmit": 0}
        table.append({"name": name, **place, **numbers})
    (root / "sequences.json").write_text(json.dumps(table), encoding="utf-8")
    return root
