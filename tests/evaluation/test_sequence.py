from __future__ import annotations

import pickle

import numpy as np
import pytest

from pytracking_et.errors import DatasetError
from pytracking_et.evaluation import Sequence, SequenceList
from pytracking_et.evaluation.sequence import UnknownSequenceError

from .trees import images, put

BOXES = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])
FRAMES = ["a.jpg", "b.jpg", "c.jpg"]
NAN = float("nan")


class Loader:
    """A loader that counts its calls, and can be pickled."""

    def __init__(self, value):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return self.value


def test_attributes_and_first_frame():
    sequence = Sequence("one", FRAMES, "otb", BOXES, object_class="person")
    assert (sequence.name, sequence.frames, sequence.dataset) == ("one", FRAMES, "otb")
    assert sequence.init_info() == {"init_bbox": [1, 2, 3, 4]}
    assert isinstance(sequence.init_info()["init_bbox"], list)
    assert sequence.frame_info(1) == {}
    assert sequence.get_bbox(1) == [5, 6, 7, 8]
    assert sequence.target_class() == "person"
    assert sequence.get_info(["init_bbox", "init_mask", "target_class"]) == {
        "init_bbox": [1, 2, 3, 4],
        "target_class": "person",
    }
    assert sequence.init_data == {0: {"bbox": [1, 2, 3, 4]}}


def test_ground_truth_is_read_once_and_only_when_used():
    loader = Loader(BOXES.tolist())
    sequence = Sequence("one", FRAMES, "otb", loader)
    assert (len(sequence.frames), loader.calls) == (3, 0)
    np.testing.assert_array_equal(sequence.ground_truth_rect, BOXES)
    assert sequence.get_bbox(2) == [9, 10, 11, 12]
    assert loader.calls == 1


def test_what_was_loaded_is_not_sent_to_other_processes():
    sequence = Sequence("one", FRAMES, "otb", Loader(BOXES))
    small = len(pickle.dumps(sequence))
    sequence._ground_truth.value = np.zeros((1, 4))
    assert sequence.ground_truth_rect.shape == (1, 4)
    copy = pickle.loads(pickle.dumps(sequence))
    assert copy._loaded == {}
    assert copy._ground_truth.calls == 1
    assert len(pickle.dumps(sequence)) < small + 200


@pytest.mark.parametrize("lazy", [False, True])
def test_start_frame_is_shifted_to_zero(lazy):
    sequence = Sequence(
        "late",
        FRAMES,
        "x",
        Loader(BOXES) if lazy else BOXES,
        ground_truth_seg=["0.png", "1.png", "2.png"],
        init_data={1: {"bbox": [5, 6, 7, 8]}, 2: {"bbox": [0, 0, 1, 1]}},
        target_visible=[True, False, True],
    )
    assert sequence.frames == ["b.jpg", "c.jpg"]
    assert sequence.ground_truth_seg == ["1.png", "2.png"]
    assert sequence.ground_truth_rect.tolist() == BOXES[1:].tolist()
    assert sequence.target_visible.tolist() == [False, True]
    assert sequence.init_info() == {"init_bbox": [5, 6, 7, 8]}
    assert sequence.frame_info(1) == {"init_bbox": [0, 0, 1, 1]}
    assert sequence.frame_info(2) == {}


def test_several_targets():
    truth = {"7": BOXES, "9": BOXES + 1}
    sequence = Sequence("two", FRAMES, "x", truth, object_ids=["7", "9"], multiobj_mode=True)
    assert sequence.init_info() == {
        "init_bbox": {"7": [1, 2, 3, 4], "9": [2, 3, 4, 5]},
        "object_ids": ["7", "9"],
        "sequence_object_ids": ["7", "9"],
        "init_object_ids": ["7", "9"],
    }
    assert sequence.get_bbox(1, ["9"]) == {"9": [6, 7, 8, 9]}
    with pytest.raises(DatasetError, match="there are 2"):
        _ = sequence.present


def test_masks_are_arrays_or_files(tmp_path):
    from PIL import Image

    mask = np.array([[0, 1], [2, 0]], dtype=np.uint8)
    image = Image.fromarray(mask)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])  # object ids are palette indices
    image.save(tmp_path / "mask.png")
    for source in (mask, str(tmp_path / "mask.png")):
        sequence = Sequence("one", FRAMES, "x", BOXES, ground_truth_seg=[source, None, None])
        np.testing.assert_array_equal(sequence.init_info()["init_mask"], mask)
    sequence = Sequence("one", FRAMES, "x", BOXES, ground_truth_seg=[str(tmp_path / "gone.png")])
    with pytest.raises(DatasetError, match="gone.png"):
        sequence.init_mask()


@pytest.mark.parametrize(
    ("row", "present"),
    [
        ([1, 1, 5, 5], True),
        ([0, -3, 5, 5], True),  # partly outside the image is not absent
        ([NAN, NAN, NAN, NAN], False),
        ([1, 1, 5, NAN], False),
        ([1, 1, 0, 5], False),
        ([1, 1, 5, -1], False),
        ([float("inf"), 1, 5, 5], False),
    ],
)
def test_absence(row, present):
    sequence = Sequence("one", FRAMES, "any", [[1, 1, 5, 5], row])
    assert sequence.target_visible is None
    assert sequence.present.tolist() == [True, present]


def test_what_is_flagged_invisible_is_absent():
    sequence = Sequence("one", FRAMES, "lasot", BOXES, target_visible=Loader([1, 0, 1]))
    assert sequence.target_visible.dtype == bool
    assert sequence.present.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("truth", "frames", "hidden"), [([1, 2, 3, 4], FRAMES, True), (BOXES, FRAMES, False)]
)
def test_hidden_ground_truth(truth, frames, hidden):
    assert Sequence("one", frames, "x", truth).hidden_ground_truth == hidden


@pytest.mark.parametrize("truth", [[[1, 2, 3]], [1, 2, 3, 4, 5], np.zeros((2, 2, 4)), "boxes"])
def test_ground_truth_that_is_no_boxes(truth):
    with pytest.raises(DatasetError, match="ground truth has "):
        _ = Sequence("one", FRAMES, "x", truth).ground_truth_rect


def make_list() -> SequenceList:
    return SequenceList(Sequence(name, FRAMES, "x", BOXES) for name in ("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (slice(1, 3), ["b", "c"]),
        (slice(None, None, -1), ["d", "c", "b", "a"]),
        ([0, "c", -1], ["a", "c", "d"]),
        (("d", 1), ["d", "b"]),
        ([], []),
    ],
)
def test_list_indexing_gives_lists(item, expected):
    part = make_list()[item]
    assert isinstance(part, SequenceList)
    assert part.names == expected


@pytest.mark.parametrize(
    ("item", "expected"), [(0, "a"), (-1, "d"), ("b", "b"), (np.int64(2), "c")]
)
def test_list_indexing_gives_sequences(item, expected):
    assert make_list()[item].name == expected


@pytest.mark.parametrize("item", ["e", 4, -5, ["a", "e"], [0, 9], ("A",)])
def test_unknown_items_are_index_errors(item):
    with pytest.raises(IndexError) as caught:
        make_list()[item]
    assert isinstance(caught.value, UnknownSequenceError)


def test_unknown_names_are_all_listed_with_a_hint():
    names = SequenceList([Sequence("Jogging_1", FRAMES, "x", BOXES)])
    with pytest.raises(UnknownSequenceError, match="Jogging-1', 'Nope'; did you mean Jogging_1"):
        names[["Jogging-1", "Jogging_1", "Nope"]]


def test_lists_are_joined():
    joined = make_list() + [Sequence("z", FRAMES, "x", BOXES)]
    assert isinstance(joined, SequenceList)
    assert joined.names == ["a", "b", "c", "d", "z"]
    assert isinstance(joined.copy(), SequenceList)


def test_missing_frames_of_a_plain_list(tmp_path):
    images(tmp_path, 1, 2)
    there = [str(tmp_path / "0001.jpg"), str(tmp_path / "0002.jpg")]
    gone = str(tmp_path / "sub" / "0003.jpg")
    assert Sequence("a", [*there, gone], "x", BOXES).missing_files() == [gone]
    with pytest.raises(DatasetError, match="0003.jpg"):
        SequenceList([Sequence("a", [*there, gone], "x", BOXES)]).require()


def test_files_that_parts_share_are_reported_once(tmp_path):
    put(tmp_path / "x.txt", "")
    both = SequenceList(Sequence(n, [str(tmp_path / "1.jpg")], "x", BOXES) for n in "ab")
    with pytest.raises(DatasetError, match="^1 files or folders of 2 sequences"):
        both.require()
