from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.evaluation import get_dataset
from pytracking_et.evaluation.datasets.ondisk import read_boxes
from pytracking_et.evaluation.datasets.spec import package_json, registry

# Interface facts of pytracking and of the benchmarks' papers.
SEQUENCES = {
    "otb": 100,
    "uav": 123,
    "uav123_10fps": 123,
    "nfs": 100,
    "lasot": 280,
    "lasot_train": 1120,
    "lasot_extension_subset": 150,
    "trackingnet": 511,
    "got10k_test": 180,
    "got10k_val": 180,
    "vot": 60,
    "tpl": 129,
    "tpl_nootb": 87,
}
FRAMES = {"otb": 59035, "uav": 112578, "uav123_10fps": 37607, "nfs": 47953, "tpl": 55346}


def test_registry_has_every_data_set():
    assert {name: spec.sequences for name, spec in registry().items()} == SEQUENCES


@pytest.mark.parametrize("name", [n for n, spec in registry().items() if spec.table])
def test_counts_of_the_tables(tmp_path, name):
    found = get_dataset(name, root=tmp_path)
    assert len(set(found.names)) == len(found) == SEQUENCES[name]


@pytest.mark.parametrize(("name", "frames"), FRAMES.items())
def test_frames_of_the_tables(tmp_path, name, frames):
    found = get_dataset(name, root=tmp_path)
    assert sum(len(item.frames) for item in found) == frames == registry()[name].frames


def test_classes_of_lasot(tmp_path):
    assert len({item.object_class for item in get_dataset("lasot", root=tmp_path)}) == 70
    extension = get_dataset("lasot_extension_subset", root=tmp_path)
    assert len({item.object_class for item in extension}) == 15


def test_lasot_splits_do_not_meet():
    assert not set(package_json("lasot_test.json")) & set(package_json("lasot_train.json"))


def test_folders_of_uav():
    rows = package_json("uav123.json")
    assert len({row["path"] for row in rows}) == 91
    folders = [row["path"] for row in rows]
    assert sum(folders.count(folder) > 1 for folder in folders) == 51


def test_uav_at_10_fps_is_every_third_frame(tmp_path):
    fast, slow = (get_dataset(n, root=tmp_path) for n in ("uav", "uav123_10fps"))
    for whole, third in zip(fast, slow, strict=True):
        assert whole.name.removeprefix("uav_") == third.name.removeprefix("uav10fps_")
        assert len(third.frames) == len(list(whole.frames)[::3])
        assert third.frames.first == (whole.frames.first + 2) // 3


def test_tpl_nootb_keeps_no_video_of_otb(tmp_path):
    kept = {item.name[4:].lower() for item in get_dataset("tpl_nootb", root=tmp_path)}
    otb = {item.name.lower() for item in get_dataset("otb", root=tmp_path)}
    assert not kept & (otb | {"jogging1", "jogging2", "skating2"})


@pytest.mark.parametrize(("name", "folder"), [("otb", "OTB100"), ("uav", "UAV123")])
def test_tables_fit_the_published_annotations(shared, tmp_path, name, folder):
    for sequence in get_dataset(name, root=tmp_path):
        truth = shared / "results" / "gt" / folder / f"{sequence.name.removeprefix('uav_')}.txt"
        boxes = read_boxes(truth)
        assert boxes.shape == (len(sequence.frames), 4), sequence.name
        assert np.isfinite(boxes[0]).all()
