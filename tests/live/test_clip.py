import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.live.clip import HEIGHT, WIDTH, render


@pytest.fixture(scope="module")
def clip():
    return list(render(30, seed=0))


def test_frames_and_boxes_are_sound(clip):
    assert len(clip) == 30
    for frame in clip:
        assert frame.image.shape == (HEIGHT, WIDTH, 3) and frame.image.dtype == np.uint8
        x, y, w, h = frame.box
        assert x >= 0 and x + w <= WIDTH and y >= 0 and y + h <= HEIGHT
        assert 0.0 <= frame.hidden <= 1.0


def test_the_target_moves_scales_and_is_partly_hidden(clip):
    boxes = np.array([frame.box for frame in clip])
    assert np.ptp(boxes[:, 0]) > 150 and np.ptp(boxes[:, 1]) > 50
    assert boxes[:, 3].max() / boxes[:, 3].min() > 1.8
    hidden = [frame.hidden for frame in clip]
    assert 0.2 < max(hidden) < 0.8
    assert hidden[0] == 0.0  # the template must show the target


def test_the_box_holds_the_balloon(clip):
    """Its saturated colours fill the box and not its surroundings."""
    frame = clip[0]
    x, y, w, h = (int(value) for value in frame.box)
    spread = np.ptp(frame.image.astype(int), axis=2)
    inside = (spread[y : y + h, x : x + w] > 140).mean()
    around = spread[max(0, y - h // 2) : y + h, max(0, x - w) : x - 4]
    assert inside > 0.3
    assert (around > 140).mean() < 0.02


def test_same_seed_same_clip_other_seed_another():
    first, again, other = (next(render(12, seed)).image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("frames", [-1, 0, 9])
def test_too_short(frames):
    with pytest.raises(ParameterError, match=f"--frames {frames}"):
        next(render(frames))


def test_a_negative_seed():
    with pytest.raises(ParameterError, match="--seed -1"):
        next(render(10, seed=-1))
