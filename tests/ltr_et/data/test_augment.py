from dataclasses import fields

import numpy as np
import pytest

from ltr_et.data import views
from ltr_et.data.views import Appearance, change

from ..tiny import scene

BOX = np.array([60.0, 40.0, 40.0, 40.0], np.float32)
OFF = dict.fromkeys((field.name for field in fields(Appearance)), 0.0)


@pytest.fixture
def image():
    return scene([BOX], size=(160, 160))


def test_nothing_on_changes_nothing(image):
    assert np.array_equal(change(np.random.default_rng(0), image, BOX, Appearance(**OFF)), image)


@pytest.mark.parametrize("name", list(OFF))
def test_each_changes_the_image_and_not_the_original(image, name):
    before = image.copy()
    appearance = Appearance(**{**OFF, name: 0.25 if name == "colour" else 1.0})
    changed = change(np.random.default_rng(0), image, BOX, appearance)
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, image)
    assert np.array_equal(image, before)


def test_colour_stays_within_its_strength():
    flat = np.full((8, 8, 3), 128, np.uint8)
    values = [views.colour(np.random.default_rng(s), flat, 0.25).mean() for s in range(300)]
    # Brightness 1 +- 0.25 times the channels' gain, contrast turning about 128.
    assert 128 * 0.65 < min(values) < 128 * 0.8
    assert 128 * 1.2 < max(values) < 128 * 1.45


def test_occlusion_leaves_half_of_the_target_in_view(image):
    for seed in range(60):
        covered = views.occlude(np.random.default_rng(seed), image, BOX)
        x, y, w, h = BOX.astype(int)
        inside = (covered != image).any(2)[y : y + h, x : x + w].mean()
        assert inside < 0.55
        assert (covered != image).any(2).sum() <= 0.55 * w * h


def test_occlusion_of_a_target_at_the_border(image):
    for box in ([-20, 150, 40, 40], [150, -30, 40, 40], [0, 0, 3, 3]):
        assert views.occlude(np.random.default_rng(0), image, np.array(box)).shape == image.shape


@pytest.mark.parametrize("angle", [0.0, np.pi / 2])
def test_motion_blur_runs_along_its_angle(angle):
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    moved = views.motion_blur(np.random.default_rng(0), dot, angle)[..., 0] > 0
    across, along = moved.any(0).sum(), moved.any(1).sum()
    assert (across > 3 * along) == (angle == 0)


def test_low_light_darkens_and_grey_has_one_channel(image):
    assert views.low_light(np.random.default_rng(0), image).mean() < 0.8 * image.mean()
    assert (np.ptp(views.grey(image), axis=2) == 0).all()
