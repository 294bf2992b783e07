"""The line that installs an extra, by the way this copy was installed."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from pytracking_et import errors


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("checkout", 'pip install "{site}[web]"'),
        ("index", 'pip install "pytracking-et[web]"'),
        ("folder", 'pip install "{folder}[web]"'),
        ("folder that is gone", 'pip install "pytracking-et[web]"'),
        ("folder of another copy", 'pip install "pytracking-et[web]"'),
    ],
)
def test_pip_line(place, line, tmp_path, monkeypatch):
    site, source, other = tmp_path / "site", tmp_path / "my folder", tmp_path / "other"
    info = site / "pytracking_et-1.dist-info"
    for folder in (site / "pytracking_et", source, info, other / "pytracking_et"):
        folder.mkdir(parents=True)
    (info / "METADATA").write_text("Name: pytracking-et\nVersion: 1\n")
    if place == "checkout":
        (site / "pyproject.toml").touch()
    elif place != "index":
        (info / "direct_url.json").write_text(json.dumps({"url": source.as_uri()}))
    if place == "folder that is gone":
        source.rmdir()
    runs = other if place == "folder of another copy" else site
    monkeypatch.setattr(errors, "distribution", lambda name: metadata.Distribution.at(info))
    monkeypatch.setattr(errors, "__file__", str(runs / "pytracking_et" / "errors.py"))
    assert errors.pip_line("web") == line.format(folder=source, site=site)
