import pytest

from ltr_et.data.build_crops import build
from ltr_et.data.crops import CropStore
from ltr_et.dataset.pack import open_pack
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


@pytest.fixture(scope="session")
def store_folder(pack, tmp_path_factory):
    """A crop store of it, nothing held out; read only."""
    folder = tmp_path_factory.mktemp("store") / "crops"
    build(open_pack(pack), folder, share=0.0, width=320)
    return folder


@pytest.fixture
def store(store_folder):
    return CropStore(store_folder)
