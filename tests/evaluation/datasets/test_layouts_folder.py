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


def test_a_real_folder(shared):
    (deer,) = get_dataset(str(shared / "sequences" / "OTB100" / "Deer")).require()
    assert (deer.name, len(deer.frames), deer.init_bbox()) == ("Deer", 71, [306, 5, 95, 65])
