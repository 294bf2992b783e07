"""The real tracker on real frames: the harness adds nothing and loses nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytracking_et import ETTracker
from pytracking_et.evaluation import Tracker, get_dataset, run_dataset
from pytracking_et.frames import prefetch
from pytracking_et.results import files as results


@pytest.mark.slow
def test_worker_processes_give_the_boxes_of_the_api(shared, tmp_path):
    weights = shared / "weights" / "lighttrack_mobile.npz"
    sequences = get_dataset("otb", root=shared / "sequences" / "OTB100")[["Deer", "Football1"]]
    tracker = Tracker(
        "et_tracker", "lt_mobile", checkpoint=weights, engine="torch", results_path=tmp_path
    )
    report = run_dataset(sequences, [tracker], threads=2)
    assert (len(report.done), report.failed) == (2, {})
    alone = ETTracker(weights, "lt_mobile", "torch", threads=1)
    for sequence in sequences:
        boxes = results.load_boxes(Path(tracker.results_dir), sequence.name)
        images = prefetch(sequence.frames)
        alone.init(next(images), sequence.ground_truth_rect[0])
        expected = np.array([alone.update(image).box for image in images])
        # Two libraries' worth of rounding is far below; a frame missed or doubled is far above.
        np.testing.assert_allclose(boxes[1:], expected, atol=0.05)
