import numpy as np
import pytest

from ltr_et.dataset.base import read_numbers, sequence_info
from pytracking_et.errors import DatasetError


def test_numbers_come_as_rows_or_as_one_vector(tmp_path):
    path = tmp_path / "groundtruth.txt"
    path.write_text("1,2,3,4\n5,6,7,8\n")
    assert read_numbers(path, 4).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert read_numbers(path).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(DatasetError, match="4 number"):
        read_numbers(path, 5)


def test_only_finite_large_boxes_are_valid_and_hidden_ones_not_visible():
    boxes = [[0, 0, 10, 10], [0, 0, 0, 0], [0, 0, 10, 3], [np.nan] * 4, [1, 1, 9, 9]]
    info = sequence_info(np.array(boxes), np.array([1, 1, 1, 1, 0]))
    assert info["valid"].tolist() == [True, False, False, False, True]
    assert info["visible"].tolist() == [True, False, False, False, False]
