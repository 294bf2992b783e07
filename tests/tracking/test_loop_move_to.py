"""`Loop.move_to`: where the next step searches (used by re-detection in live runs)."""

import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.tracking.loop import Loop


class Seeing:
    """An engine that reports the middle of its crop and keeps the crop."""

    def template(self, image):
        self.crop = image

    def track(self, image):
        self.crop = image
        size = image.shape[0] // 16 + (1 if image.shape[0] % 32 else 0)
        score = np.zeros((size, size), np.float32)
        score[size // 2, size // 2] = 1.0
        return score, np.full((4, size, size), 16.0, np.float32)


def test_the_next_step_looks_where_it_was_told():
    image = np.zeros((300, 400, 3), np.uint8)
    image[200:220, 300:320] = 255
    loop = Loop(Seeing())
    with pytest.raises(ParameterError):
        loop.move_to((10, 10))
    loop.start(image, (40, 40, 20, 20))
    loop.step(image)
    assert loop.search_crop.max() < 255
    loop.move_to((310, 210))
    box, _ = loop.step(image)
    middle = loop.search_crop.shape[0] // 2
    assert loop.search_crop[middle, middle].min() == 255
    assert abs(box[0] + box[2] / 2 - 310) < 20 and abs(box[1] + box[3] / 2 - 210) < 20
