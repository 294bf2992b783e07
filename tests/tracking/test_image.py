from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.errors import ImageError, ParameterError
from pytracking_et.tracking.image import as_three_channels, check_color

RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RGB, RGB),
        (RGB[..., 0], np.repeat(RGB[..., :1], 3, 2)),
        (RGB[..., :1], np.repeat(RGB[..., :1], 3, 2)),
        (np.concatenate([RGB, RGB[..., :1]], 2), RGB),
        (RGB.astype(np.uint16) * 256 + 255, RGB),
        (RGB[..., 0].astype(np.uint16) << 8, np.repeat(RGB[..., :1], 3, 2)),
    ],
)
def test_conversions(image, expected):
    actual = as_three_channels(image)
    np.testing.assert_array_equal(actual, expected)
    assert actual.dtype == np.uint8


def test_no_copy_where_none_is_needed():
    assert as_three_channels(RGB) is RGB


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "NoneType"),
        ([[1, 2], [3, 4]], "list"),
        (np.zeros((0, 5, 3), np.uint8), "empty"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((1, 3, 4, 4), np.uint8), r"\(1, 3, 4, 4\)"),
        (np.zeros(5, np.uint8), r"\(5,\)"),
        (np.zeros((4, 4, 3), np.float32), "float32.*255"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4, 3), bool), "bool"),
    ],
)
def test_refusals_quote_what_came(image, words):
    with pytest.raises(ImageError, match=words):
        as_three_channels(image)


def test_color():
    assert check_color("bgr") == "bgr"
    with pytest.raises(ParameterError, match="'BGR'"):
        check_color("BGR")
