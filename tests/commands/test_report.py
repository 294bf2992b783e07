"""`ettrack report`."""

from __future__ import annotations

import pytest

from pytracking_et.commands import main

from .test_results import make_place


@pytest.fixture
def place(tmp_path):
    return make_place(tmp_path)


def report(place, *arguments):
    return main(
        ["report", "otb", "--ground-truth", str(place / "gt"), "--results", str(place / "res"),
         "--output", str(place / "r.html"), *arguments]
    )  # fmt: skip


def test_page(place, capsys):
    assert report(place, "--title", "My run") == 0
    assert capsys.readouterr().out.strip() == str(place / "r.html")
    text = (place / "r.html").read_text(encoding="utf-8")
    assert "<h1>My run</h1>" in text
    assert "et_default_001" in text


@pytest.mark.parametrize("option", ["--count", "--pictures"])
def test_at_least_one(place, capsys, option):
    assert report(place, option, "0") == 2
    assert f"{option} 0: give at least 1" in capsys.readouterr().err


def test_real_sequences_with_pictures(shared, tmp_path):
    raw = shared / "results" / "raw" / "OTB100"
    root = shared / "sequences" / "OTB100"
    assert main(
        ["report", "otb", "--dataset-root", str(root), "--results", str(raw), "--count", "1",
         "--pictures", "3", "--output", str(tmp_path / "r.html")]
    ) == 0  # fmt: skip
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("data:image/jpeg") == 6
