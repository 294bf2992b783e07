import pytest

from ltr_et.dataset.official import Lasot
from pytracking_et.errors import DatasetError

from ..tiny import scene, write_image


def write(root, name="airplane-10", occluded="0,0,1", outside="0,1,0"):
    folder = root / name.rsplit("-", 1)[0] / name
    for number in (1, 2, 3):
        write_image(folder / "img" / f"{number:08d}.jpg", scene([(10 * number, 20, 30, 30)]))
    (folder / "groundtruth.txt").write_text("10,20,30,30\n20,20,30,30\n30,20,30,30\n")
    (folder / "full_occlusion.txt").write_text(occluded + "\n")
    (folder / "out_of_view.txt").write_text(outside)


def test_layout(tmp_path):
    write(tmp_path)
    dataset = Lasot(tmp_path, split=None)
    info = dataset.get_sequence_info(0)
    assert info["bbox"][2].tolist() == [30, 20, 30, 30]
    assert info["visible"].tolist() == [True, False, False]
    frames, _, meta = dataset.get_frames(0, [1])
    assert frames[0][30, 30, 0] > 180
    assert meta["object_class_name"] == "airplane"


def test_official_split_has_1120_sequences_and_names_the_missing(tmp_path):
    write(tmp_path)
    with pytest.raises(DatasetError, match="lacks 1119 of 1120.*airplane-11"):
        Lasot(tmp_path)


@pytest.mark.parametrize(
    ("occluded", "outside", "words"),
    [
        ("0,0", "0,0", "2 flags for 3 boxes"),
        ("0,0,0,0", "0,0,0", "differ in length: 4, 3 flags"),
        ("0,0,0", "0,2,0", "out_of_view.txt: expected flags 0 or 1, found '2'"),
    ],
)
def test_flags_must_fit_the_boxes(tmp_path, occluded, outside, words):
    write(tmp_path, occluded=occluded, outside=outside)
    with pytest.raises(DatasetError, match=words):
        Lasot(tmp_path, split=None).get_sequence_info(0)


def test_unknown_split_and_missing_folder(tmp_path):
    with pytest.raises(DatasetError, match="'test'"):
        Lasot(tmp_path, split="test")
    with pytest.raises(DatasetError, match="no folder at"):
        Lasot(tmp_path / "absent")
