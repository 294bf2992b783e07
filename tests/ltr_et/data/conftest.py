import pytest

from ltr_et.data.build_crops import build
from ltr_et.data.crops import CropStore
from ltr_et.dataset.pack import open_pack

from ..tiny import write_pack


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory):
    """A crop store of a tiny pack, nothing held out; read only."""
    root = tmp_path_factory.mktemp("pack")
    build(open_pack(write_pack(root / "data")), root / "crops", share=0.0, width=320)
    return root / "crops"


@pytest.fixture
def store(store_folder):
    return CropStore(store_folder)
