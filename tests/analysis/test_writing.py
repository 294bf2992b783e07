"""Writing: whole or not at all, and errors that name the path."""

from __future__ import annotations

import pytest

from pytracking_et.analysis.writing import write_text, written
from pytracking_et.errors import ResultsError


def test_line_ends(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "ä\n1\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "ä\n1\n".encode()


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ResultsError, match=r"cannot write .*b.txt.*choose another folder"):
        write_text(tmp_path / "a" / "b.txt", "x")


def test_nothing_is_left_of_a_failure(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(ValueError, match="mine"), written(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise ValueError("mine")
    assert (tmp_path / "a.txt").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1
