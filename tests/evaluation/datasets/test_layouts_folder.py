from __future__ import annotations

import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import get_dataset

from ..trees import images, put, rows


@pytest.mark.parametrize("place", ["", "img", "imgs", "images", "frames", "color"])
@pytest.mark.parametrize("file", ["groundtruth_rect.txt", "groundtruth.txt", "gt.txt", "deer.csv"])
def test_one_sequence(tmp_path, place, file):
    folder = tmp_path / "meine Vögel"
    images(folder / place, 8, 12, 1)
    put(folder / file, rows(5))
    (only,) = get_dataset(str(folder)).require()
    assert (only.name, only.dataset) == ("meine Vögel", "meine Vögel")
    assert [frame[-6:] for frame in only.frames][-2:] == ["11.jpg", "12.jpg"]
    assert only.ground_truth_rect.shape == (5, 4)


def test_one_box_is_enough(tmp_path):
    images(tmp_path, 1, 3)
    put(tmp_path / "init.txt", "1 2 3 4")
    (only,) = get_dataset(str(tmp_path))
    assert only.hidden_ground_truth
    assert only.init_info() == {"init_bbox": [1, 2, 3, 4]}


def test_folder_of_sequences(tmp_path):
    for name in ("b10", "b9", "no boxes"):
        images(tmp_path / name / "img", 1, 3)
    for name in ("b10", "b9", "no images"):
        put(tmp_path / name / "groundtruth.txt", rows(3))
    put(tmp_path / "notes" / "todo.txt", "nothing")
    told = r"no boxes \(images, no boxes\), no images \(groundtruth.txt, no images\)$"
    with pytest.warns(UserWarning, match=told):
        found = get_dataset(str(tmp_path))
    assert found.names == ["b9", "b10"]
    assert {item.dataset for item in found} == {tmp_path.name}


def test_tables_are_used(tmp_path):
    text = (
        '[{"name": "a", "path": "x", "anno_path": "a.txt", "startFrame": 1, "endFrame": 2,'
        ' "nz": 3, "ext": "png"}]'
    )
    put(tmp_path / "sequences.json", text)
    images(tmp_path / "x", 1, 2, 3, "png")
    put(tmp_path / "a.txt", rows(2))
    assert get_dataset(str(tmp_path)).require().names == ["a"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds no sequence"),
        (["0001.jpg"], "has images but no file of boxes"),
        (["0001.jpg", "a.txt", "b.txt"], r"several files .* a.txt, b.txt"),
        (["gt.txt"], "holds no sequence"),
    ],
)
def test_what_cannot_be_used(tmp_path, files, message):
    for name in files:
        put(tmp_path / name, "1,2,3,4")
    with pytest.raises(DatasetError, match=message):
        get_dataset(str(tmp_path))


@pytest.mark.parametrize(
    ("numbers", "boxes", "missing"),
    [
        ([1, 2, 4, 5, 8], 8, ["0003.jpg", "0006.jpg .. 0007.jpg (2 frames)"]),
        ([2, 3, 4], 4, ["0001.jpg"]),
        ([300, 302, 303], 4, ["0301.jpg"]),
        ([0, 2], 3, ["0001.jpg"]),
        ([1, 6, 11], 3, []),  # every fifth frame, with its own rows
        ([300, 301], 2, []),
        ([1, 2, 3], 5, []),  # the last ones lack: boxes are of their frames
        ([1, 3], 1, []),
    ],
)
def test_frames_that_lack_between_others(tmp_path, numbers, boxes, missing):
    for number in numbers:
        images(tmp_path / "img", number, number)
    put(tmp_path / "groundtruth.txt", rows(boxes))
    (only,) = get_dataset(str(tmp_path))
    assert only.missing_files() == [str(tmp_path / "img" / line) for line in missing]


def test_hidden_files_of_macos_are_no_boxes(tmp_path):
    images(tmp_path, 1, 3)
    put(tmp_path / "boxes of mine.txt", rows(3))
    put(tmp_path / "._boxes of mine.txt", "\0")
    assert len(get_dataset(str(tmp_path)).require()) == 1


def test_a_real_folder(shared):
    (deer,) = get_dataset(str(shared / "sequences" / "OTB100" / "Deer")).require()
    assert (deer.name, len(deer.frames), deer.init_bbox()) == ("Deer", 71, [306, 5, 95, 65])
