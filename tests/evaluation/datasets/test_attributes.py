from __future__ import annotations

import json

import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import SequenceList, get_dataset, get_dataset_attributes
from pytracking_et.evaluation.datasets.attributes import UAV123_ORDER

from .. import trees

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
