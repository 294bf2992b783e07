from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pytracking_et import network
from pytracking_et.network import weights

from ..golden import synthetic


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """LT-Mobile with made-up weights: no accuracy, but boxes that depend on the pixels.

    Those of a fresh network do not: its maps are so flat that every image gives the same box, and
    a test of channel order or of state would pass whatever the code does.
    """
    state = network.build("lt_mobile").state_dict()
    for name, value in state.items():
        made = torch.as_tensor(synthetic.parameter(name, tuple(value.shape)))
        if "cls_pred." in name:
            made *= 0.002
        if "bbox_pred." in name:
            # 2 strides to each side: about the size of the target in the search region.
            made = 0.002 * made + (2.0 if name.endswith("bias") else 0.0)
        state[name] = made.to(value.dtype)
    path = tmp_path_factory.mktemp("weights") / "lt_mobile.safetensors"
    weights.save(path, state)
    return path


@pytest.fixture
def lighttrack(shared) -> Path:
    """LightTrack-Mobile's real weights, where accuracy counts."""
    return shared / "weights" / "lighttrack_mobile.npz"
