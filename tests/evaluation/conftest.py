"""The fake tracker, found by this process and by the workers it starts."""

from __future__ import annotations

import pytest

from pytracking_et.evaluation.plugins import VARIABLE


@pytest.fixture
def fakelab(monkeypatch, tmp_path):
    """Makes `Tracker("fake", "plain")` work, with results below tmp_path."""
    monkeypatch.setenv(VARIABLE, "tests.fakelab")
    monkeypatch.setenv("PYTRACKING_ET_RESULTS_PATH", str(tmp_path / "results"))
    monkeypatch.setenv("FAKE_MARKER", str(tmp_path / "marker"))
    return tmp_path / "results"
