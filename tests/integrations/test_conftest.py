from __future__ import annotations

import numpy as np

from pytracking_et import ETTracker


def test_boxes_of_the_made_up_weights_depend_on_the_pixels(checkpoint):
    """What the other tests here rest upon: each frame, and its channel order, tells."""
    frames = [np.random.default_rng(s).integers(0, 256, (120, 160, 3), np.uint8) for s in range(3)]

    def track(first, second):
        tracker = ETTracker(checkpoint, "lt_mobile", "torch", threads=1)
        tracker.init(first, (50, 40, 30, 20))
        prediction = tracker.update(second)
        assert 0.05 < prediction.score < 0.95
        return prediction.box

    box = track(frames[0], frames[1])
    assert (box[2:] < (100, 100)).all()
    for first, second in (
        (frames[2], frames[1]),
        (frames[0], frames[2]),
        (frames[0][..., ::-1].copy(), frames[1]),
        (frames[0], frames[1][..., ::-1].copy()),
    ):
        assert np.abs(track(first, second) - box).max() > 0.01
