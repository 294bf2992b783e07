"""Boxes of many sequences together."""

from __future__ import annotations

import pytest

from pytracking_et.analysis.boxfiles import BoxSet, read_boxes, read_numbers
from pytracking_et.errors import ResultsError


def test_files_become_one_set(tmp_path):
    (tmp_path / "a.txt").write_text("1,2,3,4\n5,6,7,8\n")
    (tmp_path / "b.txt").write_text("9\t9\t9\t9\n")
    got = read_boxes({"a": tmp_path / "a.txt", "b": tmp_path / "b.txt"})
    assert {name: rows.tolist() for name, rows in got.items()} == {
        "a": [[1, 2, 3, 4], [5, 6, 7, 8]],
        "b": [[9, 9, 9, 9]],
    }


def test_numbers(tmp_path):
    (tmp_path / "t.txt").write_text("0.5\n0.25\n")
    assert read_numbers({"a": tmp_path / "t.txt"})["a"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("rows", [[[1, 2, 3]], "x", [[[1, 2, 3, 4]]]])
def test_box_set_refuses_other_shapes(rows):
    with pytest.raises(ResultsError, match="'a'"):
        BoxSet.of({"a": rows})
