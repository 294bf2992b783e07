from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import get_dataset, load_dataset
from pytracking_et.evaluation.datasets import dataset_names
from pytracking_et.evaluation.datasets.check import check
from pytracking_et.evaluation.datasets.spec import package_json

from .. import trees


@pytest.mark.parametrize("name", ["otbb", "OTB", "trackingne", "/no/such/folder"])
def test_unknown_name_lists_what_there_is(name):
    with pytest.raises(DatasetError, match="neither a data set nor an existing folder") as caught:
        load_dataset(name)
    assert all(known in str(caught.value) for known in dataset_names())


@pytest.mark.parametrize(("typed", "hint"), [("otbb", "'otb'"), ("UAV", "'uav'")])
def test_unknown_name_gets_a_hint(typed, hint):
    with pytest.raises(DatasetError, match=f"Did you mean {hint}"):
        load_dataset(typed)


@pytest.mark.parametrize("name", package_json("not_here.json"))
def test_names_of_pytracking_that_are_not_here(name):
    assert name not in dataset_names()
    with pytest.raises(DatasetError, match=f"'{name}' of pytracking is not supported here"):
        load_dataset(name)


@pytest.mark.parametrize("name", dataset_names())
def test_a_folder_that_is_not_set_says_where_to_set_it(name):
    with pytest.raises(DatasetError) as caught:
        load_dataset(name)
    for part in ("--dataset-root", "PYTRACKING_ET_", "_path", "ettrack init", "ettrack.toml"):
        assert part in str(caught.value)


def test_a_folder_that_does_not_exist_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", str(tmp_path / "gone"))
    with pytest.raises(DatasetError, match=r"gone' is not a folder \(from otb_path\)"):
        load_dataset("otb")


def refuse(*_):
    raise PermissionError(13, "Permission denied", "/data")


@pytest.mark.parametrize("name", ["nfs", "trackingnet", None])
def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch, name):
    # Not by chmod: tests may run as root, who may read everything.
    (tmp_path / "anno").mkdir()
    for owner, function in ((Path, "iterdir"), (Path, "glob"), (os, "listdir")):
        monkeypatch.setattr(owner, function, refuse)
    with pytest.raises(DatasetError, match="cannot be read: .*Permission denied"):
        get_dataset(name, root=tmp_path) if name else get_dataset(str(tmp_path))


def test_frames_that_cannot_be_listed(tmp_path, monkeypatch):
    trees.vot(tmp_path)
    found = get_dataset("vot", root=tmp_path)
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DatasetError, match="cannot be read: .*Permission denied"):
        found[["ants1"]].require()
    with pytest.raises(DatasetError, match="cannot be read: .*Permission denied"):
        len(found["ants1"].frames)
    assert [item.kind for item in check(found[["ants1"]]).problems] == ["unreadable"]


def test_several_data_sets_are_joined_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_VOT_PATH", str(tmp_path))
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", str(tmp_path))
    joined = get_dataset("vot", "otb")
    assert len(joined) == 160
    assert [joined[0].dataset, joined[60].dataset] == ["vot", "otb"]


def test_uav_10fps_falls_back_to_the_folder_of_uav(tmp_path, monkeypatch):
    wanted = trees.uav_10fps(tmp_path)
    monkeypatch.setenv("PYTRACKING_ET_UAV_PATH", str(tmp_path))
    assert len(get_dataset("uav123_10fps")[wanted].require()) == 2


def test_names_of_both_frame_rates_of_uav_differ(tmp_path):
    # Result files are named after the sequence, so that equal names would overwrite each other.
    fast, slow = (set(get_dataset(n, root=tmp_path).names) for n in ("uav", "uav123_10fps"))
    assert not fast & slow


def test_only_missing_files_of_what_is_asked_are_reported(tmp_path):
    wanted = trees.otb(tmp_path)
    found = get_dataset("otb", root=tmp_path)
    assert found[wanted].require() == found[wanted]
    (tmp_path / "Skiing" / "img" / "0007.jpg").unlink()
    (tmp_path / "Tiger1" / "groundtruth_rect.txt").unlink()
    with pytest.raises(DatasetError) as caught:
        found[wanted].require()
    message = str(caught.value)
    assert str(tmp_path / "Skiing" / "img" / "0007.jpg") in message
    assert str(tmp_path / "Tiger1" / "groundtruth_rect.txt") in message
    assert message.startswith("2 files or folders of 5 sequences")
    assert "Basketball" not in message
    assert found["KiteSurf"].missing_files() == []


def test_the_list_of_missing_files_is_cut(tmp_path):
    with pytest.raises(DatasetError) as caught:
        get_dataset("otb", root=tmp_path).require()
    assert "and 178 more" in str(caught.value)
    assert str(caught.value).count("\n") == 22
