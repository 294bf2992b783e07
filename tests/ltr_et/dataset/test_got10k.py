import pytest

from ltr_et.dataset.official import SEQUENCES, Got10k, split_indices
from pytracking_et.errors import DatasetError

from ..tiny import scene, write_image


def write(root, names=("GOT-10k_Train_000001",), cover="8\n0\n4\n", absent="0\n0\n1\n"):
    root.mkdir(exist_ok=True)
    (root / "list.txt").write_text("\n".join(names) + "\n")
    folder = root / names[0]
    for number in (1, 2, 3):
        write_image(folder / f"{number:08d}.jpg", scene([(10 * number, 20, 30, 30)]))
    (folder / "groundtruth.txt").write_text("10.0,20.0,30.0,30.0\n" * 3)
    (folder / "absence.label").write_text(absent)
    (folder / "cover.label").write_text(cover)
    (folder / "meta_info.ini").write_text(
        "[METAINFO]\nurl: https://example.org/a%20b\nobject_class: anole\nmotion_class: crawling\n"
    )


def test_layout(tmp_path):
    write(tmp_path)
    dataset = Got10k(tmp_path, split=None)
    assert dataset.get_sequence_info(0)["visible"].tolist() == [True, False, False]
    assert dataset.category(0) == "anole"
    assert dataset.read_frame(0, 2)[30, 45, 0] > 180


@pytest.mark.parametrize(
    ("split", "count"), [("train", 7934), ("val", 1401), ("vottrain", 7086), ("votval", 1249)]
)
def test_splits(tmp_path, split, count):
    names = [f"GOT-10k_Train_{number:06d}" for number in range(1, SEQUENCES + 1)]
    write(tmp_path, names)
    dataset = Got10k(tmp_path, split=split)
    assert len(dataset) == len(set(dataset.sequences)) == count
    assert dataset.sequences[0] == names[split_indices(split)[0]]


def test_splits_do_not_overlap():
    parts = {name: set(split_indices(name)) for name in ("train", "val", "vottrain", "votval")}
    assert parts["train"] | parts["val"] == set(range(SEQUENCES))
    assert not parts["train"] & parts["val"]
    assert not parts["vottrain"] & parts["votval"]


@pytest.mark.parametrize(("split", "words"), [("vottrain", "has 1 names"), ("test", "'test'")])
def test_split_needs_the_official_list(tmp_path, split, words):
    write(tmp_path)
    with pytest.raises(DatasetError, match=words):
        Got10k(tmp_path, split=split)


def test_labels_must_fit(tmp_path):
    write(tmp_path, cover="8\n8\n")
    with pytest.raises(DatasetError, match=r"2 in cover\.label"):
        Got10k(tmp_path, split=None).get_sequence_info(0)


def test_list_is_asked_for(tmp_path):
    with pytest.raises(DatasetError, match="folder `train`"):
        Got10k(tmp_path)
