from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import SequenceList, get_dataset, get_dataset_attributes, load_dataset
from pytracking_et.evaluation.datasets import UAV123_ORDER, dataset_names
from pytracking_et.evaluation.datasets.check import check
from pytracking_et.evaluation.datasets.layouts import package_json

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


ROW = {"startFrame": 1, "endFrame": 2, "nz": 4, "ext": "jpg"}


def table(root, *names):
    """A data set of these sequences, as a sequences.json."""
    rows = [
        {**ROW, "name": name, "path": f"{name}/img", "anno_path": f"{name}/gt.txt"}
        for name in names
    ]
    trees.put(root / "sequences.json", json.dumps(rows))


def names(found):
    return {code: sequences.names for code, sequences in found.items()}


@pytest.mark.parametrize(
    "content",
    [
        {"order": ["OCC", "BC", "FM"], "sequences": {"a": ["OCC", "FM"], "b": ["OCC"]}},
        {"sequences": {"a": ["FM", "OCC"], "b": ["OCC"], "elsewhere": []}},
        {"a": ["FM", "OCC"], "b": ["OCC"]},
    ],
)
def test_json_in_the_root(tmp_path, content):
    table(tmp_path, "a", "b")
    trees.put(tmp_path / "attributes.json", json.dumps(content))
    found = get_dataset_attributes("otb", root=tmp_path)
    assert isinstance(found["OCC"], SequenceList)
    expected = {"OCC": ["a", "b"], "FM": ["a"]}
    assert names(found) == ({"BC": []} | expected if "order" in content else expected)
    if "order" in content:
        assert list(found) == content["order"]


def test_long_names_and_unknown_codes(tmp_path):
    table(tmp_path, "a")
    trees.put(tmp_path / "attributes.json", json.dumps({"a": ["OCC", "XYZ"]}))
    assert list(get_dataset_attributes("otb", "long", tmp_path)) == ["Occlusion", "XYZ"]


def test_prefix_of_pytracking_may_be_left_out(tmp_path):
    table(tmp_path, "uav_a", "uav_b")
    trees.put(tmp_path / "attributes.json", json.dumps({"a": ["SV"], "uav_b": ["SV"]}))
    assert names(get_dataset_attributes("uav", root=tmp_path)) == {"SV": ["uav_a", "uav_b"]}


def test_flags_of_uav_as_published(tmp_path):
    for sequence in get_dataset("uav", root=tmp_path):
        flags = "0,1,0,0,0,0,0,0,0,0,0,1" if sequence.name == "uav_bird1_2" else "0," * 11 + "1"
        file = f"{sequence.name.removeprefix('uav_')}.txt"
        trees.put(tmp_path / "anno" / "UAV123" / "att" / file, flags)
    found = get_dataset_attributes("uav", root=tmp_path)
    assert list(found) == ["ARC", "SOB"]
    assert (found["ARC"].names, len(found["SOB"])) == (["uav_bird1_2"], 123)
    trees.put(tmp_path / "anno" / "UAV123" / "att" / "bike1.txt", "0,1")
    with pytest.raises(DatasetError, match="has 2 flags; expected 12"):
        get_dataset_attributes("uav", root=tmp_path)


def test_codes_of_otb_as_published(tmp_path):
    table(tmp_path, "a", "b")
    trees.put(tmp_path / "a" / "attrs.txt", "OCC, MB\n")
    trees.put(tmp_path / "b" / "attrs.txt", "MB")
    assert names(get_dataset_attributes("otb", root=tmp_path)) == {"MB": ["a", "b"], "OCC": ["a"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no attributes for 1 of 1 sequences, e.g. a"),
        ('{"b": []}', "no attributes for 1 of 1 sequences"),
        ("{", "cannot read"),
        ("[1]", "expected"),
        ('{"sequences": {"a": 3}}', "expected"),
        ('{"a": "OCC"}', "cannot read .*attribute codes 'OCC' are no list"),
        ('{"order": "OCC", "sequences": {"a": ["OCC"]}}', "attribute codes 'OCC' are no list"),
    ],
)
def test_what_is_lacking_is_named(tmp_path, content, message):
    table(tmp_path, "a")
    if content is not None:
        trees.put(tmp_path / "attributes.json", content)
    with pytest.raises(DatasetError, match=message):
        get_dataset_attributes("otb", root=tmp_path)


def test_unknown_mode_and_name(tmp_path):
    with pytest.raises(DatasetError, match="'medium'"):
        get_dataset_attributes("otb", "medium", tmp_path)
    with pytest.raises(DatasetError, match="'otbb' is neither"):
        get_dataset_attributes("otbb", root=tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "count"),
    [("otb", "OTB100", 11), ("uav", "UAV123", 12), ("lasot", "LaSOT", 14)],
)
def test_published_lists_cover_the_tables(shared, tmp_path, name, file, count):
    text = (shared / "results" / "attr" / f"{file}.json").read_text()
    trees.put(tmp_path / "attributes.json", text)
    found = get_dataset_attributes(name, root=tmp_path)
    assert len(found) == count
    assert all(found.values())
    if name == "uav":
        assert tuple(found) == UAV123_ORDER
