import gc
import weakref

import numpy as np
import pytest

from ltr_et.data import sampler
from ltr_et.data.sampler import TrackingSampler
from ltr_et.dataset.base import BaseDataset, sequence_info
from pytracking_et.errors import DatasetError, ImageError, ParameterError

from ..tiny import scene


class Made(BaseDataset):
    """Sequences whose frame k has the target at x = 20 + k; frames in `broken` do not decode."""

    def __init__(self, root, name="made", frames=20, hidden=(), broken=(), video=True):
        super().__init__(name, root)
        self.frames, self.hidden, self.broken, self.video = frames, set(hidden), set(broken), video
        self.read = []

    def is_video_sequence(self):
        return self.video

    def get_num_sequences(self):
        return 3

    def get_sequence_info(self, seq_id):
        boxes = np.array([[20 + k, 30, 24, 24] for k in range(self.frames)], np.float32)
        return sequence_info(boxes, [k not in self.hidden for k in range(self.frames)])

    def frame_path(self, seq_id, frame_id):
        return self.root / f"{frame_id}.jpg"

    def read_frame(self, seq_id, frame_id):
        self.read.append(frame_id)
        if frame_id in self.broken:
            raise ImageError(f"frame {frame_id} is broken")
        return scene([(20 + frame_id, 30, 24, 24)])


def pairs_of(dataset, count=40, **keywords):
    sampler = TrackingSampler([dataset], **keywords)
    read = []
    for item in range(count):
        dataset.read.clear()
        sampler[0, item]
        read.append(tuple(dataset.read))
    return read


@pytest.mark.parametrize("gap", [1, 5])
def test_frames_lie_within_the_gap(tmp_path, gap):
    pairs = pairs_of(Made(tmp_path), max_gap=gap)
    distances = {abs(first - second) for first, second in pairs}
    assert distances == set(range(1, gap + 1))


@pytest.mark.parametrize(("name", "gap"), [("got10k", 30), ("lasot", 100)])
def test_gaps_by_the_name_of_the_set(tmp_path, name, gap):
    sampler = TrackingSampler([Made(tmp_path, name), Made(tmp_path, "other")])
    assert sampler.max_gap == [gap, 100]


def test_stills_pair_with_themselves(tmp_path):
    dataset = Made(tmp_path, "coco", frames=1, video=False)
    assert {len(read) for read in pairs_of(dataset)} == {1}


def test_hidden_frames_are_never_read(tmp_path):
    read = pairs_of(Made(tmp_path, hidden=range(0, 20, 2)))
    assert all(frame % 2 for pair in read for frame in pair)


def test_the_target_is_in_its_box(tmp_path):
    sampler = TrackingSampler([Made(tmp_path)])
    for item in range(10):
        sample = sampler[0, item]
        x, y = np.clip((sample["box"][:2] + sample["box"][2:] / 2).astype(int), 0, 255)
        red, green, blue = sample["search"][y, x].astype(int)
        assert red - max(green, blue) > 60
        assert sample["template"].shape == (127, 127, 3)
        assert sample["positive"] and not sample["pseudo"]


def test_repeatable_and_weighted(tmp_path):
    sets = [Made(tmp_path, "a"), Made(tmp_path, "b")]
    sampler = TrackingSampler(sets, [0, 1], seed=4)
    first = sampler[1, 3]
    again = TrackingSampler([Made(tmp_path, "a"), Made(tmp_path, "b")], [0, 1], seed=4)[1, 3]
    assert np.array_equal(first["search"], again["search"])
    assert sets[1].read and not sets[0].read


def test_broken_frames_are_skipped_and_told(tmp_path):
    sampler = TrackingSampler([Made(tmp_path, broken=range(0, 20, 2))])
    told = [message for item in range(10) for message in sampler[0, item]["broken"]]
    assert told and all("is broken" in message for message in told)
    with pytest.raises(DatasetError, match="no readable pair in 20 attempts"):
        TrackingSampler([Made(tmp_path, broken=range(20))])[0, 0]


@pytest.mark.parametrize("keywords", [
    {"p_datasets": [1, 1]}, {"p_datasets": [-1]}, {"p_datasets": [0]}, {"max_gap": [1, 2]},
])  # fmt: skip
def test_bad_arguments(tmp_path, keywords):
    with pytest.raises(ParameterError):
        TrackingSampler([Made(tmp_path)], **keywords)


def test_annotations_are_kept_as_long_as_their_sampler_and_not_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sampler, "KEPT", 2)
    dataset = Made(tmp_path)
    read, once = [], dataset.get_sequence_info
    monkeypatch.setattr(dataset, "get_sequence_info", lambda n: read.append(n) or once(n))
    pairs = TrackingSampler([dataset])
    for sequence in (0, 1, 0, 2, 0, 1):
        pairs._usable(0, sequence)
    assert read == [0, 1, 2, 1]
    other = Made(tmp_path)
    gone = weakref.ref(other)
    assert TrackingSampler([other])[0, 0]["index"] == 0
    del other
    gc.collect()
    assert gone() is None
