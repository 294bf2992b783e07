import pytest

from pytracking_et import network

from .networks import randomised
from .tiny import write_pack


@pytest.fixture(scope="session")
def pack(tmp_path_factory):
    """A tiny training pack; read only."""
    return write_pack(tmp_path_factory.mktemp("pack") / "data")


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    """A file of LT-Mobile's weights, made up."""
    path = tmp_path_factory.mktemp("weights") / "lt_mobile.safetensors"
    state = randomised("lt_mobile").state_dict()
    network.weights.save(path, state, {"network": "lt_mobile"}, half=False)
    return path
