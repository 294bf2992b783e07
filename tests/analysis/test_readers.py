"""Result folders: kinds of files, spellings, missing sequences, visibility."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from pytracking_et.analysis.readers import (
    BoxSet,
    gather,
    read_ground_truth,
    read_visibility,
)
from pytracking_et.analysis.trackers import ResultFolder, read_results
from pytracking_et.errors import DatasetError, ResultsError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "results" / "et_tracker" / "et_tracker"
    root.mkdir(parents=True)
    (root / "Jogging-1.txt").write_text("1\t2\t3\t4\n5\t6\t7\t8\n")
    (root / "Jogging-1_float.txt").write_text("1.25\t2\t3\t4\n5.5\t6\t7\t8\n")
    (root / "Jogging-1_time.txt").write_text("0.100000\n0.020000\n")
    (root / "Jogging-1_object_presence_scores.txt").write_text("1.000000\n0.500000\n")
    (root / "bike1.txt").write_text("1,2,3,4\n")
    (root / "manifest.json").write_text('{"wall_time": 1.5}')
    return root


def test_kinds(folder):
    opened = ResultFolder.open(folder)
    assert opened.sequences() == ["Jogging-1", "bike1"]
    assert opened.times(["Jogging_1", "bike1"])["Jogging_1"].tolist() == [0.1, 0.02]
    assert opened.presence(["Jogging.1"])["Jogging.1"].tolist() == [1.0, 0.5]
    assert opened.content == {"wall_time": 1.5}


def test_spelling_of_the_data_set_is_kept(folder):
    assert list(read_results(folder, ["uav_bike1", "Jogging.1"])) == ["uav_bike1", "Jogging.1"]


def test_subpixel_is_preferred_when_asked(folder):
    assert read_results(folder, ["Jogging_1"])["Jogging_1"][1, 0] == 5
    assert read_results(folder, ["Jogging_1"], subpixel=True)["Jogging_1"][1, 0] == 5.5
    with pytest.warns(UserWarning, match="no sub-pixel file for 1 of 2 sequences .bike1."):
        assert len(read_results(folder, subpixel=True)) == 2


def test_missing_sequences_are_listed_or_skipped(folder):
    names = ["bike1", "Deer", "Man"]
    with pytest.raises(ResultsError, match="lacks 2 of 3 sequences: Deer, Man"):
        read_results(folder, names)
    assert list(read_results(folder, names, missing="skip")) == ["bike1"]


def test_missing_folder(tmp_path):
    with pytest.raises(ResultsError, match="no result folder .*nowhere"):
        ResultFolder.open(tmp_path / "nowhere")


def test_broken_manifest(folder):
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ResultsError, match="cannot read.*move it away"):
        ResultFolder.open(folder)


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_manifest_of_another_program(folder, text):
    (folder / "manifest.json").write_text(text)
    opened = ResultFolder.open(folder, "otb")
    assert opened.content is None
    assert opened.sequences() == ["Jogging-1", "bike1"]


def test_ground_truth_folder(folder, tmp_path):
    with pytest.raises(DatasetError, match="no annotations"):
        read_ground_truth(tmp_path / "none")


def test_hidden_files_are_no_ground_truth(tmp_path):
    (tmp_path / "Deer.txt").write_text("1,2,3,4\n")
    (tmp_path / "._Deer.txt").write_bytes(b"\0\5\x16\7")
    assert list(read_ground_truth(tmp_path)) == ["Deer"]


def test_visibility_from_intervals(tmp_path):
    (tmp_path / "v.json").write_text(json.dumps({"a": {"frames": 5, "absent": [[1, 2]]}}))
    assert read_visibility(tmp_path / "v.json")["a"].tolist() == [True, False, False, True, True]


def test_visibility_from_a_lasot_root(tmp_path):
    one = tmp_path / "car" / "car-1"
    one.mkdir(parents=True)
    (one / "full_occlusion.txt").write_text("0,1,0")
    (one / "out_of_view.txt").write_text("0,0,1")
    assert read_visibility(tmp_path)["car-1"].tolist() == [True, False, False]
    (one / "out_of_view.txt").write_text("0")
    with pytest.raises(DatasetError, match="differ in length: 3, 1 flags"):
        read_visibility(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"a": {}}', "x"])
def test_visibility_that_is_none(tmp_path, text):
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(DatasetError, match="cannot read"):
        read_visibility(tmp_path / "v.json")


@pytest.mark.parametrize("part", [[1, 9], [-2, 3], [3, 1], [5, 5]])
def test_visibility_beyond_the_frames(tmp_path, part):
    (tmp_path / "v.json").write_text(json.dumps({"a": {"frames": 5, "absent": [part]}}))
    with pytest.raises(DatasetError, match=f"'a' is absent from {part[0]} to {part[1]}, of frames"):
        read_visibility(tmp_path / "v.json")


def sequence(name, boxes, dataset="otb", visible=None, frames=2):
    return SimpleNamespace(
        name=name,
        ground_truth_rect=np.array(boxes),
        dataset=dataset,
        target_visible=visible,
        frames=["f"] * frames,
    )


TWO = [[1, 2, 3, 4], [1, 2, 3, 4]]


def test_gather():
    dataset, boxes, visible = gather([sequence("a", TWO), sequence("b", TWO)])
    assert (dataset, list(boxes), visible) == ("otb", ["a", "b"], None)
    assert gather([sequence("a", TWO, visible=[1, 0])])[2]["a"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "no sequences"),
        ([sequence("a", TWO), sequence("b", TWO, "uav")], "otb, uav"),
        ([sequence("a", TWO[:1], "mine")], "hidden"),
        ([sequence("a", TWO[:1], "got10k_test")], "hidden"),
        ([sequence("a", TWO, visible=[1, 1]), sequence("b", TWO)], "no visibility"),
    ],
)
def test_gather_refuses(sequences, message):
    with pytest.raises(DatasetError, match=message):
        gather(sequences)


def test_results_of_another_data_set_do_not_answer(folder):
    entries = {"bike1": {"dataset": "uav"}, "Jogging-1": {"dataset": "my videos"}}
    (folder / "manifest.json").write_text(json.dumps({"sequences": entries}))
    assert ResultFolder.open(folder, "uav123").sequences() == ["Jogging-1", "bike1"]
    opened = ResultFolder.open(folder, "otb")
    assert opened.sequences() == ["Jogging-1"]
    with pytest.raises(ResultsError, match=r"lacks 1 of 1 .*there are some of uav, not otb"):
        opened.boxes(["Bike1"])


def test_older_settings_are_warned_of(folder):
    entries = {"bike1": {"fingerprint": "old"}, "Jogging-1": {"fingerprint": "new"}}
    settings = {"old": {"started": "2026-01-01"}, "new": {"started": "2026-01-02"}}
    content = {"format": 1, "settings": settings, "sequences": entries}
    (folder / "manifest.json").write_text(json.dumps(content))
    opened = ResultFolder.open(folder)
    with pytest.warns(UserWarning, match=r"1 of 2 sequences .* older settings .*: bike1; run"):
        opened.boxes(["Jogging_1", "uav_bike1"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened.boxes(["bike1"])  # alone it is of one kind


def test_the_manifest_tells_spellings_apart(folder):
    (folder / "uav10fps_bike1.txt").write_text("5,6,7,8\n")
    (folder / "bike1.txt").rename(folder / "uav_bike1.txt")
    entries = {"uav_bike1": {"dataset": "uav"}, "uav10fps_bike1": {"dataset": "uav123_10fps"}}
    (folder / "manifest.json").write_text(json.dumps({"sequences": entries}))
    for dataset, first in (("uav", 1), ("uav123_10fps", 5)):
        assert ResultFolder.open(folder, dataset).boxes(["bike1"])["bike1"][0, 0] == first


@pytest.mark.parametrize("rows", [[[1, 2, 3]], "x", [[[1, 2, 3, 4]]]])
def test_box_set_refuses_other_shapes(rows):
    with pytest.raises(ResultsError, match="'a'"):
        BoxSet.of({"a": rows})
