"""Reading box files: separators, line ends, and errors that name file and row."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis.boxfiles import BoxSet, read_boxes, read_flags, read_numbers
from pytracking_et.errors import ResultsError


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4\n5.25,6,7,8\n",
        "1\t2\t3\t4\n5.25\t6\t7\t8",
        "1, 2, 3, 4\r\n5.25, 6, 7, 8\r\n",
        "  1 2  3 4\n5.25   6 7 8 \n\n",
        "\ufeff1;2;3;4\n\n5.25;6;7;8\n\n\n",
        "1e0,2.0,3.,4\n5.25,6,7,8",
    ],
)
def test_separators(tmp_path, text):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8", newline="")
    got = read_boxes({"a": tmp_path / "a.txt"})["a"]
    assert got.tolist() == [[1, 2, 3, 4], [5.25, 6, 7, 8]]


def test_nan_rows(tmp_path):
    (tmp_path / "a.txt").write_text("NaN,NaN,NaN,NaN\nnan,nan,nan,nan\n1,2,3,4\n")
    got = read_boxes({"a": tmp_path / "a.txt"})["a"]
    assert np.isnan(got).all(axis=1).tolist() == [True, True, False]


def test_files_of_different_kind_and_length_together(tmp_path):
    rng = np.random.default_rng(1)
    paths, expected = {}, {}
    for i, separator in enumerate([",", "\t", " ", ";"] * 3):
        rows = rng.uniform(-5, 500, (int(rng.integers(1, 50)), 4))
        paths[f"s{i}"] = tmp_path / f"s {i}.txt"
        paths[f"s{i}"].write_text("\n".join(separator.join(map(repr, map(float, r))) for r in rows))
        expected[f"s{i}"] = rows
    got = read_boxes(paths)
    assert list(got) == list(expected)
    for name in expected:  # parsed exactly, to the last bit
        assert np.array_equal(got[name], expected[name])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n1,2,3\n", r"row 2: '1,2,3' is not 4"),
        ("1,2,3\n1,2,3,4,5\n", r"row 1: '1,2,3' is not 4"),
        ("1,2,3,4\n5,6,7,x\n", r"row 2: '5,6,7,x'"),
        ("1,2,3,4\n5,,7,8\n", r"row 2: '5,,7,8'"),
        ("", "is empty"),
        ("\n\n", "is empty"),
    ],
)
def test_bad_rows_are_named(tmp_path, text, message):
    (tmp_path / "good.txt").write_text("1,2,3,4\n")
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(ResultsError, match=message) as caught:
        read_boxes({"good": tmp_path / "good.txt", "bad": tmp_path / "bad.txt"})
    assert "bad.txt" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(ResultsError, match="cannot read .*none.txt"):
        read_boxes({"a": tmp_path / "none.txt"})


def test_numbers(tmp_path):
    (tmp_path / "t.txt").write_text("0.5\n0.25\n")
    assert read_numbers({"a": tmp_path / "t.txt"})["a"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("text", ["0,1,1,0\n", "0\n1\n1\n0\n", "0 1 1 0"])
def test_flags(tmp_path, text):
    (tmp_path / "f.txt").write_text(text)
    assert read_flags(tmp_path / "f.txt").tolist() == [False, True, True, False]


def test_flags_must_be_zero_or_one(tmp_path):
    (tmp_path / "f.txt").write_text("0,2\n")
    with pytest.raises(ResultsError, match="0 and 1"):
        read_flags(tmp_path / "f.txt")


@pytest.mark.parametrize("rows", [[[1, 2, 3]], "x", [[[1, 2, 3, 4]]]])
def test_box_set_refuses_other_shapes(rows):
    with pytest.raises(ResultsError, match="'a'"):
        BoxSet.of({"a": rows})
