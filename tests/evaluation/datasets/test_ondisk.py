from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation.datasets.ondisk import read_boxes, read_text

from ..trees import put

NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3,4\n5,6,7,8\n", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("1,1,5,2,4,9,0,8", [[0, 1, 5, 8]]),
        ("NaN,NaN,NaN,NaN,NaN,NaN,NaN,NaN", [[NAN, NAN, NAN, NAN]]),
    ],
)
def test_boxes_and_polygons(tmp_path, text, expected):
    np.testing.assert_array_equal(read_boxes(put(tmp_path / "boxes.txt", text)), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [("1,2,3\n", "line 1: 3 .* expected 4 or 8"), ("1,2,3,4\n1,2,3,4,5,6,7,8\n", "line 2: 8")],
)
def test_other_widths_are_refused(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        read_boxes(put(tmp_path / "boxes.txt", text))


def test_other_text_must_be_text(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.txt' does not exist"):
        read_text(tmp_path / "gone.txt")
    with pytest.raises(DatasetError, match=r"odd\.txt' cannot be read"):
        read_text(put(tmp_path / "odd.txt", b"\xff\xfe\x00\x81"))


@pytest.mark.parametrize(
    ("folder", "files", "rows", "absent"),
    [("OTB100", 100, 59035, 0), ("UAV123", 123, 112578, None)],
)
def test_published_annotations(shared, folder, files, rows, absent):
    tables = [read_boxes(path) for path in (shared / "results" / "gt" / folder).glob("*.txt")]
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
