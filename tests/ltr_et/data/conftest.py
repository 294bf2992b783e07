import pytest

from ltr_et.data.build_crops import build
from ltr_et.data.crops import CropStore
from ltr_et.dataset.pack import open_pack


@pytest.fixture(scope="session")
def store_folder(pack, tmp_path_factory):
    """A crop store of it, nothing held out; read only."""
    folder = tmp_path_factory.mktemp("store") / "crops"
    build(open_pack(pack), folder, share=0.0, width=320)
    return folder


@pytest.fixture
def store(store_folder):
    return CropStore(store_folder)
