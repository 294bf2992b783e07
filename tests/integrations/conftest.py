from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pytracking_et import network
from pytracking_et.network import weights


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """LT-Mobile with random weights: every interface, no accuracy."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lt_mobile.safetensors"
    weights.save(path, network.build("lt_mobile").state_dict())
    return path


@pytest.fixture
def lighttrack(shared) -> Path:
    """LightTrack-Mobile's real weights, where accuracy counts."""
    return shared / "weights" / "lighttrack_mobile.npz"
