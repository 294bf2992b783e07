"""Shared fixtures. `shared` is the folder of real sequences and weights beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data (never committed); tests that need it are skipped where it is absent.

    PYTRACKING_ET_SHARED names it; otherwise `../shared` beside the repository.
    """
    folder = Path(os.environ.get("PYTRACKING_ET_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"real data not at {folder}; set PYTRACKING_ET_SHARED to its folder")
    return folder


@pytest.fixture(autouse=True)
def isolated_settings(tmp_path_factory, monkeypatch):
    """No test reads the user's own settings, cache or checkpoint."""
    folder = tmp_path_factory.mktemp("settings")
    for name in [name for name in os.environ if name.startswith("PYTRACKING_ET_")]:
        if name != "PYTRACKING_ET_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTRACKING_ET_CACHE", str(folder / "cache"))
    monkeypatch.setenv("PYTRACKING_ET_SETTINGS", str(folder / "ettrack.toml"))
