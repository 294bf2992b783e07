from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.boxes import as_box, iou
from pytracking_et.errors import BoxError


@pytest.mark.parametrize("values", [(1, 2, 3, 4), [1, 2, 3, 4], np.array([[1, 2, 3, 4]], np.int32)])
def test_as_box_accepts_any_four_numbers(values):
    box = as_box(values)
    assert box.dtype == np.float64
    assert box.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("values", ["box", (1, 2, 3), (1, 2, 3, 10**400), (1, 2, float("nan"), 4)])
def test_as_box_refuses_what_is_not_four_numbers(values):
    with pytest.raises(BoxError, match="four"):
        as_box(values)


@pytest.mark.parametrize(
    ("box", "inside"),
    [((-5, -5, 6, 6), True), ((9, 9, 5, 5), True), ((10, 0, 5, 5), False), ((-5, 0, 5, 5), False)],
)
def test_overlap_with_the_image(box, inside):
    if inside:
        as_box(box, (10, 10, 3))
    else:
        with pytest.raises(BoxError, match="10x10"):
            as_box(box, (10, 10, 3))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (1, 0, 2, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 2, 2), 0),
        ((0, 0, 2, 2), (0, 0, 0, 5), 0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
    ],
)
def test_iou(first, second, expected):
    assert iou(first, second) == pytest.approx(expected)
    assert iou(second, first) == pytest.approx(expected)


def test_iou_broadcasts():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 2, 2]])
    assert iou(boxes, (0, 0, 2, 2)).tolist() == pytest.approx([1, 1 / 3])
