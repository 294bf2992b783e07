"""The dialect of box tables: what is read, and what is refused with its line."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis.readers import read_boxes
from pytracking_et.boxtables import read_flags, read_table, read_tables
from pytracking_et.errors import DatasetError, ResultsError
from pytracking_et.evaluation.datasets import ondisk as annotations
from pytracking_et.results.files import load_boxes

NAN = float("nan")
TWO = [[1, 2, 3, 4], [5.25, 6, 7, 8]]


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3,4\n5.25,6,7,8\n", TWO),
        ("1\t2\t3\t4\n5.25\t6\t7\t8", TWO),
        ("1;2;3;4\n5.25;6;7;8", TWO),
        ("  1   2 3  4 \n5.25   6 7 8 \n\n", TWO),
        ("1, 2,\t3 ,4\r\n5.25 6\t7 8\r\n\r\n", TWO),
        ("1,2,3,4\n5.25\t6\t7\t8\n", TWO),  # every line its own
        ("1,2,3,4,\n5.25,6,7,8,\n", TWO),
        ("1,2,3,4;\n5.25,6,7,8 ; \n", TWO),
        ("1\t2\t3\t4\t\n5.25\t\t6\t7\t8\t\n", TWO),
        ("1,2,3,4\r5.25,6,7,8\r", TWO),
        ("1\u00a02\u00a03\u00a04\n5.25,\u00a06, 7, 8\n", TWO),
        ("\ufeff1,2,3,4\n5.25,6,7,8\n \n\t\n\n", TWO),
        ("1e0,2.0,3.,+4\n5.25E0,6,7,8", TWO),
        ("-1,-2.5,.5,1e2", [[-1, -2.5, 0.5, 100]]),
        ("NaN,nan,NAN,-nan\n1,2,3,4\n", [[NAN] * 4, [1, 2, 3, 4]]),
    ],
)
def test_what_is_read_is_read_alike_everywhere(tmp_path, text, expected):
    path = put(tmp_path / "seq.txt", text)
    for got in (
        annotations.read_boxes(path),
        read_boxes({"seq": path})["seq"],
        load_boxes(tmp_path, "seq"),
    ):
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, expected)


REFUSED = [
    ("", "is empty"),
    ("\n \n,\n", "is empty"),
    ("1,2,3,4\n1,2,3\n", r"line 2: 3 number\(s\) in '1,2,3', expected 4"),
    ("1,2,3,4\n1,2,3,\n", r"line 2: 3 number\(s\) in '1,2,3,', expected 4"),
    ("1,2,3,4\n1,2,3,4,,\n", "line 2: .* is not a row of 4"),
    ("1,2,3,4\n\n1,2,3,4\n", "line 2 is blank"),
    ("\n1,2,3,4\n", "line 1 is blank"),
    ("1,2,3,4\r\n \r\n1,2,3,4\r\n", "line 2 is blank"),
    ("120,50;56,50;37,00;52,50\n", "line 1: '120,50;56,50;37,00;52,50' mixes separators"),
    ("1,2,3,4\n120,5 56,5 37,0 52,5\n", "line 2: .* mixes separators"),
    ("120,5\t56,5\t37,0\t52,5\n", "line 1: .* mixes separators"),
    ("1,2,three,4\n", "line 1: '1,2,three,4' is not a row of"),
    ("1,2,3,4\n1,,3,4\n", "line 2: '1,,3,4' is not a row of"),
    ("1,2,3,4\n1,2,1nan,4\n", "line 2: '1,2,1nan,4'"),
    ("1,2,3,NA\n", "line 1: '1,2,3,NA'"),
    ("1,2,3,1_0\n", "line 1"),
    ("1,2,3,0x1\n", "line 1"),
    ('1,2,3,"4"\n', "line 1"),
    ("1,2,3,4.5.6\n", "line 1"),
    ("1,2,3,e\n", "line 1"),
    ("x,y,w,h\n1,2,3,4\n", "line 1: 'x,y,w,h' is not a row of"),
    ("# boxes\n1,2,3,4\n", "line 1"),
    (b"\xff\xfe1\x00,\x002\x00", "holds zero bytes"),
    (b"\xff\xfe\x81", "line 1"),
    (None, "cannot read"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_refused_is_refused_alike_everywhere(tmp_path, text, message):
    path = tmp_path / "seq.txt"
    if text is not None:
        put(path, text)
    put(tmp_path / "good.txt", "1,2,3,4\n")
    for kind, read in (
        (DatasetError, lambda: annotations.read_boxes(path)),
        (ResultsError, lambda: read_boxes({"good": tmp_path / "good.txt", "seq": path})),
        (ResultsError, lambda: load_boxes(tmp_path, "seq")),
    ):
        with pytest.raises(kind, match=message) as caught:
            read()
        assert str(path) in str(caught.value)


def test_width_of_the_first_row(tmp_path):
    path = put(tmp_path / "t.txt", "1,2,3\n4,5,6")
    assert read_table(path, None, DatasetError).tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(DatasetError, match=r"line 1: 3 number\(s\) in '1,2,3', expected 4 or 8"):
        read_table(path, (4, 8), DatasetError)


def test_files_of_different_kind_and_length_together(tmp_path):
    rng = np.random.default_rng(1)
    paths, expected = [], []
    for i, separator in enumerate([",", "\t", " ", ";"] * 3):
        rows = rng.uniform(-5, 500, (int(rng.integers(1, 50)), 4))
        text = "\n".join(separator.join(map(repr, map(float, row))) for row in rows)
        paths.append(put(tmp_path / f"s {i}.txt", text))
        expected.append(rows)
    values, offsets = read_tables(paths, 4, ResultsError)
    for i, rows in enumerate(expected):  # parsed exactly, to the last bit
        assert np.array_equal(values[offsets[i] : offsets[i + 1]], rows)


@pytest.mark.parametrize("text", ["0,1,0", "0\n1\n0\n", "0 1 0", "0, 1, 0,", "\ufeff0;1;0\r\n"])
def test_flags(tmp_path, text):
    path = put(tmp_path / "flags.txt", text)
    assert read_flags(path, DatasetError).tolist() == [False, True, False]


def test_a_path_that_no_file_has():
    """A table of sequences may hold one."""
    with pytest.raises(DatasetError, match=r"cannot read 'a\\x00b'"):
        read_table("a\0b", (4,), DatasetError)


@pytest.mark.parametrize(
    ("text", "message"), [("0,2,0", "found '2'"), ("", "empty"), ("0\n\n1", "found ''")]
)
def test_bad_flags(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        read_flags(put(tmp_path / "flags.txt", text), DatasetError)
