import numpy as np
import pytest

from ltr_et.tracking_validation import clips
from ltr_et.tracking_validation.clips import RESTARTED, WHOLE
from pytracking_et.errors import DatasetError

from ..tiny import write_crowd, write_masked_video
from .trackers import clip


@pytest.fixture
def pack(tmp_path):
    write_masked_video(tmp_path, tracks=tuple("abcdefs"), frames=10)
    write_crowd(tmp_path, frames=3)
    return tmp_path


def test_tracks_are_long_enough_and_split_by_part(pack):
    every = {one.name for one in clips.tracks(pack, "all")}
    assert every == {f"davis2016/{letter}" for letter in "abcdefs"}
    train = {one.name for one in clips.tracks(pack, "train")}
    held_out = every - train
    assert held_out == {one.name for one in clips.tracks(pack)} == {"davis2016/s"}
    with pytest.raises(DatasetError, match="8 frames"):
        clips.tracks(pack, "all", sources=["mot_dense"])


def test_starts_of_a_restarted_clip(tmp_path):
    one = clip(tmp_path, frames=70, restart=(20, 40, 25))
    starts = one.starts(quick=True)
    found = [(start.kind, start.frame, start.frames) for start in starts]
    # From frame 60 only 10 frames are left.
    expected = [(WHOLE, 0, 70), (RESTARTED, 0, 40), (RESTARTED, 20, 40), (RESTARTED, 40, 30)]
    assert found == expected
    assert len(one.starts(quick=False)) == 4 * len(starts)


def test_no_start_where_the_target_is_absent(tmp_path):
    one = clip(tmp_path, frames=70)
    one.boxes[20] = np.nan
    one.boxes[40, 2] = 0
    assert [start.frame for start in one.starts(quick=True)] == [0, 0]


def test_changed_first_boxes_are_near_and_the_same_every_time(tmp_path):
    one = clip(tmp_path)
    starts = [start for start in one.starts(quick=False) if start.kind == WHOLE]
    boxes = np.array([one.first_box(start) for start in starts])
    assert boxes[0].tolist() == one.boxes[0].tolist()
    assert len(np.unique(boxes, axis=0)) == 4
    assert np.abs(boxes[1:] - boxes[0]).max() <= 6
    assert np.abs((boxes[1:] - boxes[0])[:, 2:]).max() <= clips.MOVED_PIXELS
    assert np.array_equal(boxes, [one.first_box(start) for start in starts])


def test_real_sequences_have_the_starts_of_the_table(shared):
    found = clips.sequences(shared / "sequences", ["shared", "wtrack"])
    starts = [(one.part, start.kind) for one in found for start in one.starts(quick=True)]
    counts = {key: starts.count(key) for key in dict.fromkeys(starts)}
    assert counts == {
        ("shared", WHOLE): 15,
        ("shared", RESTARTED): 53,
        ("wtrack", WHOLE): 18,
        ("wtrack", RESTARTED): 45,
    }
