import csv

import numpy as np
import pytest

from ltr_et.dataset.pack import PackStill, PackVideo, open_pack, source_table
from pytracking_et.errors import DatasetError

from ..tiny import write_crowd, write_image, write_pack, write_rows


def test_every_source_is_found(tmp_path):
    sets = {dataset.name: dataset for dataset in open_pack(write_pack(tmp_path))}
    assert {name: len(dataset) for name, dataset in sets.items()} == {
        "coco": 12, "davis2016": 2, "mot_dense": 4, "tiny-imagenet": 3
    }  # fmt: skip
    assert [sets[name].is_video_sequence() for name in sorted(sets)] == [False, True, True, False]


def test_masked_video(tmp_path):
    write_pack(tmp_path)
    dataset = PackVideo(tmp_path / "video" / "davis2016")
    assert [dataset.track_name(i) for i in range(2)] == ["cows", "dog"]
    assert [dataset.category(i) for i in range(2)] == ["hoofed", "dog"]
    info = dataset.get_sequence_info(1)
    assert info["bbox"][2].tolist() == [46, 30, 24, 36]
    assert dataset.frame_number(1, 2) == 4
    assert dataset.mask_path(1, 2).name == "00004.png"
    frames, anno, meta = dataset.get_frames(1, [0, 2])
    assert frames[1].shape == (120, 160, 3)
    assert frames[1][48, 58, 0] > 180
    assert anno["bbox"].shape == (2, 4)
    assert meta["object_class_name"] == "dog"


def test_tracks_of_a_clip_see_each_other(tmp_path):
    write_crowd(tmp_path, "mot_dense")
    dataset = PackVideo(tmp_path / "video" / "mot_dense")
    assert {dataset.clip_name(i) for i in range(4)} == {"A", "B"}
    assert dataset.others(0, 1).tolist() == [[58, 32, 16, 40]]
    assert dataset.mask_path(0, 1) is None
    assert dataset.category(0) == "person"


def test_frames_beside_the_table_are_one_clip(tmp_path):
    folder = tmp_path / "video" / "mycam"
    header = ["track", "frame", "image", "x", "y", "w", "h"]
    rows = [[track, frame, f"{frame}.jpg", 1, 1, 30, 30] for track in "ab" for frame in (1, 2)]
    for frame in (1, 2):
        write_image(folder / f"{frame}.jpg", np.zeros((40, 40, 3), np.uint8))
    write_rows(folder / "annotations.csv", header, rows[:-1])
    dataset = PackVideo(folder)
    assert {dataset.clip_name(i) for i in range(len(dataset))} == {"mycam"}


def test_stills_are_one_sequence_a_box(tmp_path):
    write_pack(tmp_path)
    dataset = PackStill(tmp_path / "still" / "coco")
    assert dataset.category(1) == "cup"
    assert dataset.others(1, 0).tolist() == [[30, 20, 40, 30]]
    assert dataset.read_frame(1, 0).shape == (120, 160, 3)


def test_images_that_differ_in_their_suffix_are_two(tmp_path):
    for name in ("a.jpg", "a.png", "b.jpg"):
        write_image(tmp_path / "still" / "odd" / name, np.zeros((40, 40, 3), np.uint8))
    rows = [[name, "x", 1, 1, 9, 9] for name in ("a.jpg", "a.jpg", "a.png", "b.jpg")]
    header = ["image", "category", "x", "y", "w", "h"]
    write_rows(tmp_path / "still" / "odd" / "annotations.csv", header, rows)
    dataset = PackStill(tmp_path / "still" / "odd")
    names = [dataset.track_name(number) for number in range(len(dataset))]
    assert names == ["a.jpg_0", "a.jpg_1", "a.png_0", "b_0"]
    assert {len(dataset.get_sequence_info(number)["bbox"]) for number in range(4)} == {1}


def test_a_category_called_none_stays_a_word(tmp_path):
    write_image(tmp_path / "still" / "odd" / "0.jpg", np.zeros((40, 40, 3), np.uint8))
    header = ["image", "category", "x", "y", "w", "h"]
    write_rows(
        tmp_path / "still" / "odd" / "annotations.csv", header, [["0.jpg", "None", 1, 1, 9, 9]]
    )
    assert PackStill(tmp_path / "still" / "odd").category(0) == "None"


def test_tiny_imagenet(tmp_path):
    write_pack(tmp_path)
    dataset = {d.name: d for d in open_pack(tmp_path)}["tiny-imagenet"]
    assert dataset.read_frame(2, 0).shape == (64, 64, 3)
    assert dataset.category(0) == "goldfish"
    assert dataset.get_sequence_info(0)["bbox"].tolist() == [[16, 12, 30, 36]]


def test_missing_columns_are_named(tmp_path):
    write_rows(tmp_path / "still" / "odd" / "annotations.csv", ["image", "x", "y", "w", "h"], [])
    with pytest.raises(DatasetError, match="category"):
        open_pack(tmp_path)


def test_an_empty_folder_is_no_pack(tmp_path):
    with pytest.raises(DatasetError, match="video/ and still/"):
        open_pack(tmp_path)


def test_pseudo_boxes_are_flagged():
    pseudo = [name for name, row in source_table().items() if row.get("pseudo")]
    assert pseudo == ["davis_train_pseudo"]
    assert source_table()["davis_train_pseudo"]["weight"] < source_table()["davis2016"]["weight"]


def test_the_real_pack(shared):
    sets = open_pack(shared / "train")
    boxes = sum(len(d.get_sequence_info(i)["bbox"]) for d in sets for i in range(len(d)))
    rows = 0
    for table in (shared / "train").glob("*/*/annotations.csv"):
        with table.open(encoding="utf-8", newline="") as stream:
            rows += sum(1 for _ in csv.DictReader(stream))
    for table in (shared / "train").glob("*/*/*.npz"):
        with np.load(table) as arrays:
            rows += len(arrays["box"])
    assert boxes == rows > 0  # no row of any table is left out
    unnamed = [
        d.track_name(i)
        for d in sets
        if d.is_video_sequence()
        for i in range(len(d))
        if not d.category(i)
    ]
    assert set(unnamed) <= {"boat", "soccerball", "davis_dogs-jump_o2"}
