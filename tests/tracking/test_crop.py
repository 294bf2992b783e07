from __future__ import annotations

import math
import sys

import cv2
import numpy as np
import pytest

from pytracking_et.tracking.crop import (
    LARGEST_CROP,
    context_side,
    crop,
    crop_origin,
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


def test_crop_is_no_part_of_the_frames_memory():
    image = np.zeros((224, 224, 3), np.uint8)
    assert not np.shares_memory(crop(image, (112, 112), 224, 224, np.zeros(3)), image)


def test_mean_color_is_truncated():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = (1, 3, 255)
    assert mean_color(image).tolist() == [0, 1, 127]


@pytest.mark.parametrize("center", [(30, 20), (0, 39), (-70.5, 61.2), (59.4, -3)])
@pytest.mark.parametrize("side", [301, 512, 999])
@pytest.mark.parametrize("output", [32, 127])
def test_a_crop_far_larger_than_the_frame_is_the_same_without_its_border(center, side, output):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    assert side > LARGEST_CROP * 60
    fill = mean_color(image)
    actual = crop(image, center, side, output, fill).astype(int)
    expected = reference(image, center, side, output, fill).astype(int)
    assert np.abs(actual - expected).max() <= 1
    assert (actual != fill).any()


def test_a_huge_box_takes_no_memory():
    resource = pytest.importorskip("resource")
    image = np.full((1080, 1920, 3), 200, np.uint8)
    image[500:580] = 10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for side in (30_000, 10_000_000):
        patch = crop(image, (960, 540), side, 288, np.zeros(3, np.uint8))
        assert patch.shape == (288, 288, 3)
        assert patch.flags.c_contiguous
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 200_000_000
