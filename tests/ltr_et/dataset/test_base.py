import numpy as np
import pytest

from ltr_et.dataset.base import read_image, read_numbers, sequence_info
from pytracking_et.errors import DatasetError, ImageError

from ..tiny import scene, write_image


@pytest.mark.parametrize(
    "text", ["1,2,3,4\n5,6,7,8\n", "1\t2\t3\t4\n5 6  7 8\n\n", "1, 2, 3, 4\r\n5,6,7,8"]
)
def test_rows_in_any_separator(tmp_path, text):
    path = tmp_path / "groundtruth.txt"
    path.write_text(text)
    assert read_numbers(path, 4).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert read_numbers(path).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3,4\n1,2,x,4\n", "line 2"),
        ("1,2,3\n", "3 number"),
        ("1,2,3,4\n\n1,2,3,4", "line 2 is blank"),
        (None, "cannot read"),
    ],
)
def test_bad_rows_are_quoted(tmp_path, text, words):
    path = tmp_path / "groundtruth.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_numbers(path, 4)


def test_only_finite_large_boxes_are_valid_and_hidden_ones_not_visible():
    boxes = [[0, 0, 10, 10], [0, 0, 0, 0], [0, 0, 10, 3], [np.nan] * 4, [1, 1, 9, 9]]
    info = sequence_info(np.array(boxes), np.array([1, 1, 1, 1, 0]))
    assert info["valid"].tolist() == [True, False, False, False, True]
    assert info["visible"].tolist() == [True, False, False, False, False]


def test_images_are_rgb(tmp_path):
    image = scene([(10, 10, 40, 40)])
    read = read_image(write_image(tmp_path / "ä.png", image))
    assert np.array_equal(read, image)


@pytest.mark.parametrize("data", [None, b"", b"\xff\xd8\xff\xe0 not a jpeg"])
def test_broken_images_are_named(tmp_path, data):
    path = tmp_path / "00001.jpg"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ImageError, match=r"00001\.jpg"):
        read_image(path)
