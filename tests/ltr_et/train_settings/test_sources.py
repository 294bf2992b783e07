"""What is there is kept, what is missing is made, and leftovers are not trained on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from ltr_et.data import build_crops, build_features
from ltr_et.data.build_features import ChunkMaker
from ltr_et.data.features import FeatureCache
from ltr_et.settings import Settings, Stage
from ltr_et.train_settings import et_tracker
from ltr_et.train_settings.sources import prepare
from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError

from ..tiny import write_stills

ALL = {"coco", "davis2016", "mot_dense", "tiny-imagenet"}


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """No data but what a test names; a backbone of zeros, chunks of 8 views."""

    def zeros(images):
        cells = images.shape[1] // 16
        return np.zeros((len(images), 96, cells, cells), np.float16)

    monkeypatch.setenv("PYTRACKING_ET_SHARED", str(tmp_path / "absent"))
    monkeypatch.setattr(build_features, "make_extractor", lambda *_: zeros)
    make = ChunkMaker.make
    monkeypatch.setattr(ChunkMaker, "make", lambda *parts: make(*parts[:-1], searches=8))


def settings(tmp_path, pack, teacher, source="features", **values):
    values = {"data": pack, "teacher": teacher} | values
    return Settings(workspace=tmp_path / "work", stages=[Stage("s", 64, source)], **values)


def sources(folder):
    return {path.stem for path in folder.glob("*.npz")}


def test_leftovers_of_a_smaller_run_are_completed(tmp_path, pack, teacher):
    """As after Ctrl-C in the first build: some sources, the next one half written."""
    made = settings(tmp_path, pack, teacher, "crops")
    prepare(made, sources=["mot_dense"])
    assert sources(made.crops) == {"mot_dense"}
    stamp = (made.crops / "mot_dense.npz").stat().st_mtime_ns
    (made.crops / ".coco.bin.partial").write_bytes(b"half")
    made = settings(tmp_path, pack, teacher)
    prepare(made, views=2 * build_features.CHUNK)
    assert sources(made.crops) == ALL
    assert (made.crops / "mot_dense.npz").stat().st_mtime_ns == stamp
    shutil.rmtree(made.features / "chunk-00001")
    prepare(settings(tmp_path, pack, teacher), views=2 * build_features.CHUNK)
    assert FeatureCache(made.features).chunks == 2


def test_what_is_complete_is_not_made_again_and_needs_no_image(
    tmp_path, pack, teacher, monkeypatch
):
    prepare(settings(tmp_path, pack, teacher), views=8)
    tables = shutil.copytree(pack, tmp_path / "tables")
    for path in [*tables.rglob("*.jpg"), *tables.rglob("*.png")]:
        path.unlink()
    for module, name in ((build_crops, "build_source"), (build_features, "make_extractor")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("built again"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    for data in (pack, tables, tmp_path / "absent"):
        prepare(settings(tmp_path, data, teacher), views=8)


def test_several_processes_do_not_build(tmp_path, pack, teacher, monkeypatch):
    made = settings(tmp_path, pack, teacher)
    prepare(made, views=8)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DatasetError, match="feature cache .* not complete.* without torchrun"):
        prepare(settings(tmp_path, pack, teacher), views=2 * build_features.CHUNK)
    (made.crops / "mot_dense.npz").unlink()
    with pytest.raises(DatasetError, match="crop store .* not complete.* without torchrun"):
        prepare(settings(tmp_path, pack, teacher), views=8)


def test_named_folders_are_taken_as_they_are(tmp_path, pack, teacher):
    made = settings(tmp_path, pack, teacher)
    prepare(made, views=8, sources=["mot_dense"])
    given = settings(tmp_path, pack, teacher, crops=made.crops, features=made.features)
    prepare(given, views=5 * build_features.CHUNK)
    assert sources(given.crops) == {"mot_dense"}
    assert FeatureCache(given.features).chunks == 1


@pytest.mark.parametrize("stopped", ["crops", "features"])
def test_named_folders_that_a_stopped_training_began_are_completed(
    tmp_path, pack, teacher, monkeypatch, stopped
):
    """As after Ctrl-C between two sources, or two chunks, and the same command again."""
    folders = {"crops": tmp_path / "c", "features": tmp_path / "f"}
    with monkeypatch.context() as patch:
        if stopped == "crops":
            whole = build_crops.build_source

            def build_source(dataset, *others):
                if dataset.name == "davis2016":
                    raise KeyboardInterrupt
                return whole(dataset, *others)

            patch.setattr(build_crops, "build_source", build_source)
        else:
            make = ChunkMaker.make

            def make_first(maker, path, *others):
                if path.name != "chunk-00000":
                    raise KeyboardInterrupt
                return make(maker, path, *others)

            patch.setattr(ChunkMaker, "make", make_first)
        with pytest.raises(KeyboardInterrupt):
            prepare(settings(tmp_path, pack, teacher, **folders), views=2 * build_features.CHUNK)
    prepare(settings(tmp_path, pack, teacher, **folders), views=2 * build_features.CHUNK)
    assert sources(folders["crops"]) == ALL
    assert FeatureCache(folders["features"]).chunks == 2
    # Complete, they are as the user names them.
    prepare(settings(tmp_path, pack, teacher, **folders), views=9 * build_features.CHUNK)
    assert FeatureCache(folders["features"]).chunks == 2


def test_a_cache_that_does_not_tell_its_backbone_is_an_error(tmp_path, pack, teacher):
    made = settings(tmp_path, pack, teacher)
    prepare(made, views=8)
    (made.features / "meta.json").unlink()
    for features in (made.features, None):
        with pytest.raises(DatasetError, match="meta.json.*--features"):
            prepare(settings(tmp_path, pack, teacher, features=features), views=8)
    assert not (made.features / "meta.json").exists()


def test_a_source_of_other_data_is_an_error(tmp_path, pack, teacher):
    other = tmp_path / "other"
    write_stills(other, "rendered")
    made = settings(tmp_path, other, teacher, "crops")
    prepare(made)
    with pytest.raises(DatasetError, match="'rendered'.*--crops"):
        prepare(settings(tmp_path, pack, teacher, "crops"))


def test_features_of_another_backbone_are_an_error(tmp_path, pack, teacher):
    made = settings(tmp_path, pack, teacher)
    prepare(made, views=8)
    other = tmp_path / "other.safetensors"
    torch.manual_seed(1)
    network.weights.save(other, network.build("lt_mobile").state_dict(), {})
    with pytest.raises(DatasetError, match="begun with .*--features"):
        prepare(settings(tmp_path, pack, other), views=8)
    with pytest.raises(DatasetError, match="begun with .*--teacher"):
        prepare(settings(tmp_path, pack, other, features=made.features), views=8)


def test_smoke_leaves_nothing_to_the_recipes(tmp_path, pack, teacher, monkeypatch):
    monkeypatch.setattr(et_tracker, "train", lambda settings: True)
    made = settings(tmp_path, pack, teacher)
    assert et_tracker.smoke(made)
    assert sources(made.crops) == ALL - {"tiny-imagenet"}
    assert FeatureCache(made.features).chunks == 1
    assert not (made.workspace / "crops").exists() and not (made.workspace / "features").exists()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("gone", DatasetError, "no folder .*gone"), (".", CheckpointError, "--teacher")],
)
def test_smoke_takes_no_other_data_than_those_given(tmp_path, monkeypatch, name, error, message):
    monkeypatch.setattr(et_tracker, "find_teacher", lambda _: None)
    with pytest.raises(error, match=message):
        et_tracker.smoke(settings(tmp_path, tmp_path / name, None))


def test_overrides_name_data_and_folders_too(tmp_path, pack, teacher):
    given = {"data": pack, "crops": tmp_path / "c", "features": tmp_path / "f"}
    made = settings(tmp_path, None, teacher)
    made.overrides = [f"{name}={path}" for name, path in given.items()]
    prepare(made, views=8)
    assert sources(tmp_path / "c") == ALL
    assert FeatureCache(tmp_path / "f").chunks == 1
    assert not (made.workspace / "crops").exists()
