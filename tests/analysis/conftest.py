"""A small data set with result folders in pytracking's layout, and frames to draw on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

NAMES = ["Alpha", "Beta-1", "Gamma", "Delta_2"]


@dataclass
class World:
    """Ground truth, sequence objects with frames, and trackers of rising error."""

    results: Path
    truth: dict[str, np.ndarray]
    predictions: dict[str, dict[str, np.ndarray]]
    sequences: list[SimpleNamespace]
    trackers: list[SimpleNamespace] = field(default_factory=list)


def write_result(folder, name, boxes, rng):
    folder.mkdir(parents=True, exist_ok=True)
    whole = "\n".join("\t".join(str(int(v)) for v in row) for row in boxes)
    (folder / f"{name}.txt").write_text(whole + "\n")
    fine = "\n".join("\t".join(f"{v:.4f}" for v in row) for row in boxes)
    (folder / f"{name}_float.txt").write_text(fine + "\n")
    times = "\n".join(f"{v:f}" for v in [0.5, *rng.uniform(0.02, 0.03, len(boxes) - 1)])
    (folder / f"{name}_time.txt").write_text(times + "\n")


def tracker(results, name, parameter, run=None, shown=None):
    leaf = parameter if run is None else f"{parameter}_{run:03d}"
    return SimpleNamespace(
        name=name,
        parameter_name=parameter,
        run_id=run,
        display_name=shown,
        results_dir=str(results / name / leaf),
    )


@pytest.fixture
def world(tmp_path):
    rng = np.random.default_rng(7)
    results = tmp_path / "results"
    truth, predictions, sequences = {}, {}, []
    for k, name in enumerate(NAMES):
        n = 30 + 5 * k
        path = np.array([60.0, 50.0]) + np.cumsum(rng.normal(0, 1.5, (n, 2)), axis=0)
        boxes = np.hstack([path, np.full((n, 2), 24.0 + 4 * k)])
        truth[name] = np.round(np.maximum(boxes, 1))
        folder = tmp_path / "frames" / name
        folder.mkdir(parents=True)
        frames = []
        for i in range(n):
            image = np.full((120, 160, 3), 90, np.uint8)
            cv2.putText(image, str(i), (5, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (200, 200, 200), 1)
            frames.append(str(folder / f"{i + 1:04d}.jpg"))
            cv2.imwrite(frames[-1], image)
        sequences.append(
            SimpleNamespace(
                name=name,
                frames=frames,
                dataset="otb",
                ground_truth_rect=truth[name],
                target_visible=None,
            )
        )
    made = World(results, truth, predictions, sequences)
    for j, (name, parameter, run) in enumerate(
        [("good", "default", None), ("poor", "default", 0), ("poor", "default", 1)]
    ):
        one = tracker(results, name, parameter, run)
        made.trackers.append(one)
        boxes = {}
        for k, sequence in enumerate(NAMES):
            noise = rng.normal(0, 1 + 3 * j, truth[sequence].shape)
            boxes[sequence] = np.maximum(truth[sequence] + noise, 1)
            if j and k == 2:  # lost for good from frame 10 on
                boxes[sequence][10:, :2] += 500
            write_result(Path(one.results_dir), sequence, boxes[sequence], rng)
        predictions[f"{name}{'' if run is None else run}"] = boxes
    return made
