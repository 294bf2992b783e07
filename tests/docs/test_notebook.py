"""The example notebook gives what is committed, and the manual shows it."""

from __future__ import annotations

import base64
import re
import runpy

import numpy as np
import pytest

from .blocks import ROOT

NOTEBOOK = ROOT / "docs" / "examples" / "first_minutes.ipynb"
PAGE = ROOT / "docs" / "first-minutes.md"
INCLUDE = runpy.run_path(str(ROOT / "docs" / "make" / "include.py"))
NUMBER = re.compile(r"\d+\.?\d*")


@pytest.fixture
def notebook():
    nbformat = pytest.importorskip("nbformat", reason="reads notebooks; extra test")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


def outputs(notebook):
    """What was printed, and the pictures."""
    found = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    printed = "".join(one.text for one in found if one.get("name") == "stdout")
    return printed, [one.data["image/png"] for one in found if "image/png" in one.get("data", {})]


def test_committed_with_small_outputs(notebook):
    printed, pictures = outputs(notebook)
    assert "rule pytracking" in printed
    assert [base64.b64decode(one)[:4] for one in pictures] == [b"\x89PNG"]
    assert NOTEBOOK.stat().st_size < 100_000
    assert all(
        one.get("name") != "stderr" for cell in notebook.cells for one in cell.get("outputs", [])
    )


def test_page_shows_the_notebook(notebook):
    page = INCLUDE["on_page_markdown"](PAGE.read_text(encoding="utf-8"))
    printed, pictures = outputs(notebook)
    expected = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    expected += [*printed.splitlines(), *(one.replace("\n", "") for one in pictures)]
    assert [text for text in expected if text not in page] == []
    assert "\n## Track a target and measure it\n" in page
    assert "<!-- notebook" not in page


@pytest.mark.slow
def test_run_again_it_prints_the_same(notebook, tmp_path, monkeypatch):
    """With the package's weights; engines differ in the last decimals."""
    for module in ("nbclient", "ipykernel"):
        pytest.importorskip(module, reason="executes notebooks; extra test")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv(
        "MPLBACKEND", raising=False
    )  # the kernel's own puts figures into the notebook
    before, pictures = outputs(notebook)
    INCLUDE["run"](notebook)
    after, again = outputs(notebook)
    assert NUMBER.split(after) == NUMBER.split(before)
    numbers = [np.array(NUMBER.findall(text), float) for text in (after, before)]
    np.testing.assert_allclose(*numbers, atol=0.5)
    assert len(again) == len(pictures)
