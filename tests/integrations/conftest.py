from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def lighttrack(shared) -> Path:
    """LightTrack-Mobile's real weights, where accuracy counts."""
    return shared / "weights" / "lighttrack_mobile.npz"
