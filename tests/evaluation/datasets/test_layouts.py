from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import get_dataset, get_dataset_attributes, load_dataset
from pytracking_et.evaluation.datasets.layouts import package_json, registry
from pytracking_et.evaluation.datasets.ondisk import read_boxes

from .. import trees
from ..fakes import write_otb


def got10k_val(root):
    return trees.got10k(root, "val", 5)


def got10k_test(root):
    return trees.got10k(root, "test", 1)


# data set, tree, then for its first sequence: frames, rows, last frame, first box
LAYOUTS = [
    ("otb", trees.otb, 81, 81, "Skiing/img/0081.jpg", [1, 2, 10, 12]),
    ("uav", trees.uav, 199, 199, "data_seq/UAV123/wakeboard7/000199.jpg", [1, 2, 10, 12]),
    ("uav123_10fps", trees.uav_10fps, 85, 85, "data_seq/UAV123_10fps/bird1/000085.jpg", None),
    ("nfs", trees.nfs_repack, 69, 69, "sequences/Skiing_red/00069.jpg", [1, 2, 10, 12]),
    ("nfs", trees.nfs_official, 69, 69, "Skiing-red/30/Skiing-red/00069.jpg", [0, 2, 10, 12]),
    ("lasot", trees.lasot, 6, 6, "airplane/airplane-1/img/00000006.jpg", [1, 2, 10, 12]),
    ("lasot_extension_subset", trees.lasot_extension, 3, 3, "atv/atv-10/img/00000003.jpg", None),
    ("trackingnet", trees.trackingnet, 12, 1, "TEST/frames/-abc_0/11.jpg", [3.5, 2, 10, 12]),
    ("got10k_val", got10k_val, 5, 5, "val/GOT-10k_Val_000001/00000005.jpg", None),
    ("got10k_test", got10k_test, 5, 1, "test/GOT-10k_Test_000001/00000005.jpg", None),
    ("vot", trees.vot, 4, 4, "ants1/color/00000004.jpg", [0, 1, 5, 8]),
    ("tpl", trees.tpl, 124, 124, "tpl_Pool_ce3/img/0124.jpg", [1, 2, 10, 12]),
    ("tpl_nootb", trees.tpl, 124, 124, "tpl_Pool_ce3/img/0124.jpg", [1, 2, 10, 12]),
]


@pytest.mark.parametrize(("name", "tree", "frames", "rows", "last", "first_box"), LAYOUTS)
def test_layout(tmp_path, name, tree, frames, rows, last, first_box):
    wanted = tree(tmp_path)
    sequences = get_dataset(name, root=tmp_path)[wanted].require()
    first = sequences[0]
    assert (len(first.frames), first.ground_truth_rect.shape) == (frames, (rows, 4))
    assert first.frames[-1] == str(tmp_path / last)
    assert first.init_info()["init_bbox"] == (first_box or [1, 2, 10, 12])
    assert first.hidden_ground_truth == (rows == 1)
    assert first.dataset == name
    for sequence in sequences:
        copy = pickle.loads(pickle.dumps(sequence))
        assert list(copy.frames) == list(sequence.frames)
        np.testing.assert_array_equal(copy.ground_truth_rect, sequence.ground_truth_rect)


@pytest.mark.parametrize(("name", "tree"), [row[:2] for row in LAYOUTS])
def test_the_setting_leads_to_the_same_place(tmp_path, monkeypatch, name, tree):
    wanted = tree(tmp_path)
    monkeypatch.setenv(f"PYTRACKING_ET_{registry()[name].settings[-1].upper()}", str(tmp_path))
    assert get_dataset(name)[wanted].require().names == wanted


def test_oddities_of_otb(tmp_path):
    trees.otb(tmp_path)
    found = get_dataset("otb", root=tmp_path)
    # initOmit: the first five frames and rows of Tiger1 are dropped.
    assert found["Tiger1"].frames[0].endswith("0006.jpg")
    assert found["Tiger1"].ground_truth_rect[0, 0] == 6
    assert len(found["Tiger1"].frames) == len(found["Tiger1"].ground_truth_rect) == 349
    # The table says jpg/*.png; copies hold img/*.jpg.
    assert found["KiteSurf"].frames[-1] == str(tmp_path / "KiteSurf" / "img" / "0084.jpg")
    # Two targets in one folder.
    assert list(found["Jogging_1"].frames) == list(found["Jogging_2"].frames)
    assert found["Jogging_2"].init_bbox() == [50, 2, 10, 12]


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("David", 300, 770, 471),
        ("BlurCar1", 247, 988, 742),
        ("BlurCar3", 3, 359, 357),
        ("BlurCar4", 18, 397, 380),
        ("Football1", 1, 74, 74),
        ("Freeman3", 1, 460, 460),
        ("Freeman4", 1, 283, 283),
        ("Diving", 1, 215, 215),
        ("Tiger1", 6, 354, 349),
        ("Board", 1, 698, 698),  # names of five digits
    ],
)
def test_frame_ranges_of_otb(tmp_path, name, first, last, count):
    frames = get_dataset("otb", root=tmp_path)[name].frames
    assert len(frames) == count
    digits = 5 if name == "Board" else 4
    assert frames[0].endswith(f"{os.sep}{first:0{digits}d}.jpg")
    assert frames[-1].endswith(f"{os.sep}{last:0{digits}d}.jpg")


def test_parts_of_uav_share_a_folder_and_nan_is_absent(tmp_path):
    trees.uav(tmp_path)
    found = get_dataset("uav", root=tmp_path)
    assert found["uav_bird1_2"].frames[0].endswith("000775.jpg")
    assert len(found["uav_bird1_2"].frames) == 703
    assert np.flatnonzero(~found["uav_wakeboard7"].present).tolist() == [5]


@pytest.mark.skipif(os.name == "nt", reason="links need developer mode")
def test_linked_folders_have_the_names_of_the_links(tmp_path):
    for place, link in (("0001", "cars"), ("0002", "boats")):
        write_otb(tmp_path / "pool" / place, ("video", 2, 20.0))
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / link).symlink_to(tmp_path / "pool" / place / "video")
    assert load_dataset(str(tmp_path / "mine")).names == ["boats", "cars"]


def test_options_for_data_sets_by_name_are_refused_of_folders(tmp_path):
    write_otb(tmp_path / "set", ("video", 2, 20.0))
    with pytest.raises(DatasetError, match="--dataset-root /nowhere is for data sets given by"):
        load_dataset(str(tmp_path / "set"), "/nowhere")
    with pytest.raises(DatasetError, match="--attributes FILE"):
        get_dataset_attributes(str(tmp_path / "set"))


def test_visibility_of_lasot(tmp_path):
    trees.lasot(tmp_path)
    sequence = get_dataset("lasot", root=tmp_path)["airplane-1"]
    assert sequence.target_visible.tolist() == [True, False, True, False, True, True]
    assert sequence.object_class == "airplane"


@pytest.mark.parametrize(
    ("split", "text", "expected"),
    [
        ("val", "8\n0\n1\n0\n8\n", [True, False, True, False, True]),
        ("val", None, None),
        ("test", "8\n0\n1\n0\n8\n", None),  # its boxes are hidden but for one
    ],
)
def test_visibility_of_got10k(tmp_path, split, text, expected):
    (name,) = trees.got10k(tmp_path, split, 5)
    if text is not None:
        (tmp_path / split / name / "cover.label").write_text(text)
    sequence = get_dataset(f"got10k_{split}", root=tmp_path).require()[0]
    seen = sequence.target_visible
    assert (seen if seen is None else seen.tolist()) == expected


@pytest.mark.parametrize(
    ("annotated", "frames", "expected"),
    [(552, 69, 69), (553, 69, 69), (544, 69, 68), (552, 68, 68), (545, 69, 69)],
)
def test_official_nfs_lengths_may_differ_by_one(tmp_path, annotated, frames, expected):
    names = trees.nfs_official(tmp_path, annotated, frames)
    sequence = get_dataset("nfs", root=tmp_path)[names][0]
    boxes = sequence.ground_truth_rect
    assert len(boxes) == len(sequence.frames) == expected
    assert boxes[:3].tolist() == [[0, 2, 10, 12], [8, 2, 10, 12], [16, 2, 10, 12]]


def test_official_nfs_lengths_that_do_not_fit(tmp_path):
    names = trees.nfs_official(tmp_path, annotated=480)
    with pytest.raises(DatasetError, match="60 boxes for 69 frames"):
        len(get_dataset("nfs", root=tmp_path)[names][0].frames)


def test_official_nfs_with_a_blank_line(tmp_path):
    names = trees.nfs_official(tmp_path)
    sequence = get_dataset("nfs", root=tmp_path)[names][0]
    path = Path(sequence.sources[0])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "\n", *lines[3:]]))
    with pytest.raises(DatasetError, match="line 4 is blank"):
        len(sequence.ground_truth_rect)


def test_vot_polygons_become_boxes_and_color_is_optional(tmp_path):
    trees.vot(tmp_path)
    found = get_dataset("vot", root=tmp_path)
    assert found["ants1"].ground_truth_rect.tolist() == [[0, 1, 5, 8]] * 4
    assert found["bag"].frames[0] == str(tmp_path / "bag" / "00000001.jpg")


def test_frames_of_trackingnet_are_ordered_by_number(tmp_path):
    trees.trackingnet(tmp_path)
    frames = get_dataset("trackingnet", root=tmp_path)[0].frames
    assert [frame.rpartition("/")[2].rpartition("\\")[2] for frame in frames] == [
        f"{number}.jpg" for number in range(12)
    ]


@pytest.mark.parametrize(("split", "tree"), [("test", got10k_test), ("val", got10k_val)])
def test_the_split_folder_of_got10k_may_be_the_root(tmp_path, split, tree):
    wanted = tree(tmp_path)
    assert get_dataset(f"got10k_{split}", root=tmp_path / split).names == wanted


def test_classes_of_lasot_may_be_left_out(tmp_path):
    trees.lasot(tmp_path / "nested")
    (tmp_path / "nested" / "airplane" / "airplane-1").rename(tmp_path / "airplane-1")
    found = get_dataset("lasot", root=tmp_path)[["airplane-1"]].require()
    assert len(found[0].frames) == 6


ROW = {"name": "mine", "path": "video", "anno_path": "boxes.txt"}
ROW |= {"startFrame": 3, "endFrame": 7, "nz": 2, "ext": "png"}


@pytest.mark.parametrize("name", ["otb", "uav", "lasot", "got10k_test", "vot", "nfs"])
def test_sequences_json_replaces_the_built_in_table(tmp_path, name):
    trees.put(tmp_path / "sequences.json", json.dumps([ROW, {**ROW, "name": "b", "initOmit": 2}]))
    trees.images(tmp_path / "video", 3, 7, 2, "png")
    trees.put(tmp_path / "boxes.txt", trees.rows(5))
    found = get_dataset(name, root=tmp_path).require()
    assert found.names == ["mine", "b"]
    assert found[0].dataset == name
    assert [len(item.frames) for item in found] == [5, 3]
    assert found["b"].init_bbox() == [3, 2, 10, 12]


def test_backslashes_in_sequences_json(tmp_path):
    row = {**ROW, "path": "data\\video", "anno_path": "data\\boxes.txt"}
    trees.put(tmp_path / "sequences.json", json.dumps([row]))
    trees.images(tmp_path / "data" / "video", 3, 7, 2, "png")
    trees.put(tmp_path / "data" / "boxes.txt", trees.rows(5))
    assert len(get_dataset("otb", root=tmp_path).require()[0].ground_truth_rect) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot read"),
        ('{"name": "a"}', "list of objects"),
        ('[{"name": "a", "path": "p"}]', "lacks anno_path, startFrame, endFrame, nz, ext"),
        (json.dumps([{**ROW, "endFrame": 2}]), "mine has no frames"),
    ],
)
def test_a_bad_sequences_json_is_named(tmp_path, content, message):
    trees.put(tmp_path / "sequences.json", content)
    with pytest.raises(DatasetError, match=message) as caught:
        get_dataset("otb", root=tmp_path)
    assert "sequences.json" in str(caught.value)


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
