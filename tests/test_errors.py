"""The line that installs an extra, by the way this copy was installed."""

from __future__ import annotations

import pytest

from pytracking_et import errors


@pytest.mark.parametrize(
    ("place", "line"),
    [("checkout", 'pip install ".[web]"'), ("installed", 'pip install "pytracking-et[web]"')],
)
def test_pip_line(place, line, tmp_path, monkeypatch):
    package = tmp_path / "pytracking_et"
    package.mkdir()
    if place == "checkout":
        (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(errors, "__file__", str(package / "errors.py"))
    assert errors.pip_line("web") == line
