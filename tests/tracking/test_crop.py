from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from pytracking_et.tracking.crop import (
    context_side,
    crop,
    crop_origin,
    cut,
    exact_crop,
    mean_color,
    round_half_away,
    search_side,
)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.5, 1), (1.5, 2), (2.5, 3), (-0.5, -1), (-2.5, -3), (2.49, 2), (0, 0)]
)
def test_round_half_away_differs_from_python3(value, rounded):
    assert round_half_away(value) == rounded


@pytest.mark.parametrize(
    ("width", "height", "side"), [(10, 10, 20), (40, 10, math.sqrt(65 * 35)), (1, 1, 2)]
)
def test_context_side(width, height, side):
    assert context_side(width, height, 0.5) == pytest.approx(side)


def test_search_side_keeps_the_template_scale():
    # 127 template pixels show `side`; so the search crop must show side * 256 / 127.
    assert search_side(50.0, 127, 256) == pytest.approx(50 * 256 / 127)


def reference(image, center, side, output, fill):
    """Pad the whole frame, cut, resize: slow and obvious."""
    pad = 2 * side + max(image.shape)
    framed = np.empty((image.shape[0] + 2 * pad, image.shape[1] + 2 * pad, 3), np.uint8)
    framed[:] = fill
    framed[pad:-pad, pad:-pad] = image
    left, top = crop_origin(center, side)
    cut = framed[pad + top : pad + top + side, pad + left : pad + left + side]
    return cv2.resize(cut, (output, output), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize(
    ("center", "side"),
    [
        ((30, 20), 15),
        ((30.5, 20.49), 16),
        ((0, 0), 21),
        ((59, 39), 33),
        ((-4.2, 45.7), 30),
        ((30, 20), 200),
        ((30, 20), 1),
    ],
)
def test_crop_equals_padding_the_whole_frame(center, side):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    fill = mean_color(image)
    actual = crop(image, center, side, 32, fill)
    np.testing.assert_array_equal(actual, reference(image, center, side, 32, fill))
    assert actual.flags.c_contiguous


def test_crop_wholly_outside_is_the_fill_colour():
    fill = np.array([1, 2, 3], np.uint8)
    actual = crop(np.zeros((9, 9, 3), np.uint8), (-100, -100), 5, 4, fill)
    assert actual.shape == (4, 4, 3)
    assert (actual == fill).all()


def test_crop_does_not_write_to_the_frame():
    image = np.full((8, 8, 3), 7, np.uint8)
    crop(image, (0, 0), 10, 10, np.zeros(3, np.uint8))[:] = 9
    crop(image, (3.5, 3.5), 8, 8, np.zeros(3, np.uint8))
    assert (image == 7).all()


def waves(height=60, width=80):
    """A smooth picture, and the value of its first channel at any place (edge coordinates)."""

    def value(x, y):
        return 128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7)

    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    image = np.repeat(value(x[None], y[:, None])[..., None], 3, axis=2)
    return np.rint(image).astype(np.uint8), value


@pytest.mark.parametrize(
    ("center", "side", "output"),
    [((40, 30), 32, 32), ((40.25, 29.5), 32.7, 64), ((33.3, 31.9), 50.5, 32), ((41, 30), 20, 128)],
)
def test_exact_crop_shows_the_asked_place_in_its_middle(center, side, output):
    image, value = waves()
    actual = exact_crop(image, center, side, output, mean_color(image))
    place = (np.arange(output) + 0.5) / output * side - side / 2
    expected = value(center[0] + place[None], center[1] + place[:, None])
    np.testing.assert_allclose(actual[..., 0], expected, atol=2)
    assert (actual.shape, actual.dtype) == ((output, output, 3), np.uint8)
    assert actual.flags.c_contiguous


def test_exact_crop_beyond_the_frame_has_the_fill_colour():
    image, fill = np.full((20, 30, 3), 200, np.uint8), np.array([1, 2, 3], np.uint8)
    actual = exact_crop(image, (0, 10), 20, 40, fill)
    assert (actual[:, :19] == fill).all()
    assert (actual[1:39, 21:] == 200).all()
    assert (exact_crop(image, (-100, 5), 20, 40, fill) == fill).all()
    assert (exact_crop(image, (15, 100), 20, 40, fill) == fill).all()


def test_exact_crop_of_a_part_equals_that_of_the_whole_frame():
    wide = np.random.default_rng(0).integers(0, 256, (8, 33_000, 3), np.uint8)
    fill = mean_color(wide)
    actual = exact_crop(wide, (32_500.3, 4), 20, 32, fill)
    np.testing.assert_array_equal(actual, exact_crop(wide[:, 32_000:], (500.3, 4), 20, 32, fill))


@pytest.mark.parametrize("center", [(40.0, 30.0), (40.5, 30.5), (40.49999, 30.0)])
def test_exact_crop_hardly_changes_with_the_last_digits(center):
    image, _ = waves()
    fill, moved = mean_color(image), np.add(center, 1e-5)
    first, second = (
        exact_crop(image, c, s, 64, fill).astype(int) for c, s in ((center, 33.5), (moved, 33.4999))
    )
    assert np.abs(first - second).max() <= 1


def test_whole_pixel_crops_jump_with_the_last_digits():
    image, _ = waves()
    fill = mean_color(image)
    first, second = (crop(image, (x, 30), 34, 64, fill).astype(int) for x in (40, 40.00001))
    assert np.abs(first - second).max() >= 5


def test_cut_rounds_or_does_not():
    image, _ = waves()
    fill = mean_color(image)
    rounded = cut(image, (40.2, 30.2), 20.5, 32, fill, "rounded")
    np.testing.assert_array_equal(rounded, crop(image, (40.2, 30.2), 21, 32, fill))
    exact = cut(image, (40.2, 30.2), 20.5, 32, fill, "exact")
    np.testing.assert_array_equal(exact, exact_crop(image, (40.2, 30.2), 20.5, 32, fill))
    assert cut(image, (40, 30), 0.2, 4, fill, "rounded").shape == (4, 4, 3)


def test_mean_color_is_truncated():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = (1, 3, 255)
    assert mean_color(image).tolist() == [0, 1, 127]
