from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation.datasets.annotations import read_boxes, read_flags, read_table

from ..trees import put

NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3,4\n5,6,7,8\n", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("1\t2\t3\t4\n5\t6\t7\t8", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("  1   2 3  4 \n", [[1, 2, 3, 4]]),
        ("1, 2,\t3;4\r\n5 6 7 8\r\n\r\n", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("\ufeff1.5,2e1,-3,4", [[1.5, 20, -3, 4]]),
        ("1,2,3,4\nNaN,nan,NAN,NaN\n", [[1, 2, 3, 4], [NAN, NAN, NAN, NAN]]),
        ("1,1,5,2,4,9,0,8", [[0, 1, 5, 8]]),
        ("NaN,NaN,NaN,NaN,NaN,NaN,NaN,NaN", [[NAN, NAN, NAN, NAN]]),
    ],
)
def test_boxes(tmp_path, text, expected):
    boxes = read_boxes(put(tmp_path / "boxes.txt", text))
    assert boxes.dtype == np.float64
    np.testing.assert_array_equal(boxes, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("1,2,3,4\n1,2,3\n", r"line 2: 3 numbers \('1 2 3'\) where line 1 has 4"),
        ("1,2,3,4\n\n1,2,3,4\n", "line 2: 0 numbers"),
        ("1,2,3,4\n1,2,three,4\n", "line 2: '1 2 three 4' is not a row of numbers"),
        ("1,2,3,4\n1,2,3,4\n,,,\n4,4,4,4", "line 3"),
        ("1,2,3\n", "rows of 3 numbers; expected 4"),
        ("m0,0,5,5,3,2", "line 1"),
    ],
)
def test_bad_rows_are_named(tmp_path, text, message):
    path = put(tmp_path / "boxes.txt", text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_boxes(path)
    assert str(path) in str(caught.value)


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.txt' does not exist"):
        read_boxes(tmp_path / "gone.txt")
    with pytest.raises(DatasetError, match=r"odd\.txt' cannot be read"):
        read_boxes(put(tmp_path / "odd.txt", b"\xff\xfe\x00\x81"))


@pytest.mark.parametrize("text", ["0,1,0", "0\n1\n0\n", "0 1 0", "0, 1, 0,"])
def test_flags(tmp_path, text):
    assert read_flags(put(tmp_path / "flags.txt", text)).tolist() == [False, True, False]


@pytest.mark.parametrize(("text", "bad"), [("0,2,0", "'2'"), ("", "nothing")])
def test_bad_flags(tmp_path, text, bad):
    with pytest.raises(DatasetError, match=f"found .*{bad}"):
        read_flags(put(tmp_path / "flags.txt", text))


@pytest.mark.parametrize(
    ("folder", "files", "rows", "absent"),
    [("OTB100", 100, 59035, 0), ("UAV123", 123, 112578, None)],
)
def test_published_annotations(shared, folder, files, rows, absent):
    tables = [read_table(path) for path in (shared / "results" / "gt" / folder).glob("*.txt")]
    assert len(tables) == files
    assert sum(map(len, tables)) == rows
    nans = sum(int(np.isnan(table).any(axis=1).sum()) for table in tables)
    assert nans == absent if absent is not None else nans > 0


def test_real_sequences_equal_the_published_annotation(shared):
    from pytracking_et.evaluation import get_dataset

    for sequence in get_dataset("otb", root=shared / "sequences" / "OTB100").require():
        published = read_boxes(shared / "results" / "gt" / "OTB100" / f"{sequence.name}.txt")
        np.testing.assert_array_equal(sequence.ground_truth_rect, published)
        assert len(sequence.frames) == len(published)
