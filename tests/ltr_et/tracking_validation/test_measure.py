from functools import partial

import numpy as np
import pytest

from ltr_et.tracking_validation.clips import Clip
from ltr_et.tracking_validation.measure import Memory, figures, follow, measure
from pytracking_et.errors import ResultsError

from .trackers import Fake, Standing, clip

QUICK, EVERY = (partial(Clip.starts, quick=quick) for quick in (True, False))


def test_following_starts_on_the_given_box_and_shares_a_common_way(tmp_path):
    one = clip(tmp_path, frames=60)
    starts = one.starts(quick=True)
    made = []

    def make():
        made.append(Standing(5.0))
        return made[-1]

    boxes = follow(make, one, starts)
    assert [len(boxes[start.key]) for start in starts] == [60, 40, 40]
    for start in starts:
        assert boxes[start.key][0].tolist() == one.boxes[0].tolist()
        assert boxes[start.key][1:, 0].tolist() == [45.0] * (start.frames - 1)
    # The restart in frame 0 is the beginning of the whole clip.
    assert [tracker.steps for tracker in made] == [59, 39]


@pytest.mark.parametrize(("shift", "auc", "lost"), [(0, 100, False), (500, 2, True)])
def test_figures(tmp_path, shift, auc, lost):
    one = clip(tmp_path)
    starts = one.starts(quick=True)
    found = figures(follow(lambda: Standing(shift), one, starts), one, starts)
    for mean, gone in found.values():
        assert gone is lost
        assert mean == pytest.approx(auc, abs=5)


def test_a_target_found_again_is_not_lost(tmp_path):
    one = clip(tmp_path)
    start = one.starts(quick=True)[0]
    boxes = one.boxes.copy()
    boxes[20:40, 0] = 500
    assert figures({start.key: boxes}, one, [start])[start.key][1] is False


@pytest.mark.parametrize(("frame", "lost"), [(45, True), (25, False)])
def test_frames_without_the_target_lose_nothing(tmp_path, frame, lost):
    """It leaves at `frame` and does not come back; the box is on it until frame 30."""
    one = clip(tmp_path)
    start = one.starts(quick=True)[0]
    boxes = one.boxes.copy()
    boxes[30:, 0] = 500
    one.boxes[frame:] = np.nan
    assert figures({start.key: boxes}, one, [start])[start.key][1] is lost


def test_finished_clips_are_not_tracked_again(tmp_path):
    clips, path = [clip(tmp_path, name) for name in "ab"], tmp_path / "cache" / "runs.jsonl"
    told = []
    first = measure(Fake("x", 3.0), clips, QUICK, Memory(path), tell=told.append)
    assert len(told) == 2
    again = measure(Fake("x", 3.0), clips, QUICK, Memory(path), tell=told.append)
    assert [run.auc for run in again] == [run.auc for run in first]
    assert len(told) == 2
    # Only the changed first boxes are new; another subject is new altogether.
    measure(Fake("x", 3.0), clips[:1], EVERY, Memory(path), tell=told.append)
    measure(Fake("x", 4.0), clips, QUICK, Memory(path), tell=told.append)
    assert len(told) == 5


def test_changed_boxes_of_a_clip_are_tracked_anew(tmp_path):
    one, memory, told = clip(tmp_path), Memory(None), []
    measure(Fake("x"), [one], QUICK, memory, tell=told.append)
    one.boxes[30] += 1
    measure(Fake("x"), [one], QUICK, memory, tell=told.append)
    assert len(told) == 2


def test_a_line_cut_off_is_tracked_again(tmp_path, caplog):
    one, path, told = clip(tmp_path), tmp_path / "runs.jsonl", []
    measure(Fake("x"), [one], QUICK, Memory(path))
    path.write_text(path.read_text()[:60])
    measure(Fake("x"), [one], QUICK, Memory(path), tell=told.append)
    assert len(told) == 1
    assert "line 1 is damaged" in caplog.text
    assert len(measure(Fake("x"), [one], QUICK, Memory(path))) == 3
    path.write_text('{"kind": "train"}\n')
    with pytest.raises(ResultsError, match="--cache"):
        Memory(path)


@pytest.mark.slow
def test_two_processes_give_the_same(tmp_path):
    clips = [clip(tmp_path, name) for name in "abc"]
    alone = measure(Fake("x", 3.0), clips, EVERY, Memory(None))
    together = measure(Fake("x", 3.0), clips, EVERY, Memory(None), processes=2)
    assert np.array_equal([run.auc for run in alone], [run.auc for run in together])
