"""Results of other pictures under the same names are no results of these."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pytracking_et.evaluation import Sequence
from pytracking_et.results.description import Pictures

from .fakes import make_sequence, run


def elsewhere(sequence: Sequence, folder: Path, keep_times: bool = True) -> Sequence:
    """The same sequence, its frames copied to another folder."""
    folder.mkdir(parents=True)
    copy = shutil.copy2 if keep_times else shutil.copyfile
    frames = [str(copy(frame, folder / Path(frame).name)) for frame in sequence.frames]
    if not keep_times:
        for frame in frames:
            os.utime(frame, ns=(1, 1))
    return Sequence(sequence.name, frames, sequence.dataset, sequence.ground_truth_rect)


def change(frame: str, keep_time: bool) -> None:
    """Other pixels in a file of the same size."""
    path, before = Path(frame), os.stat(frame)  # noqa: PTH116
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    # Far from the time before: some file systems count in seconds.
    later = before.st_mtime_ns if keep_time else before.st_mtime_ns + 10**10
    os.utime(path, ns=(later, later))


@pytest.fixture
def sequence(tmp_path) -> Sequence:
    return make_sequence(tmp_path / "data", "a", 4)


def are_the_same(before: Sequence, after: Sequence, then: bool, now: bool) -> bool:
    recorded = json.loads(json.dumps(Pictures(before.frames, then).entry()))
    return Pictures(after.frames, now).are(recorded)


@pytest.mark.parametrize("then", [False, True])
@pytest.mark.parametrize("now", [False, True])
def test_same_files(sequence, tmp_path, then, now):
    assert are_the_same(sequence, sequence, then, now)
    assert are_the_same(sequence, elsewhere(sequence, tmp_path / "moved"), then, now)


@pytest.mark.parametrize(("then", "now", "same"), [(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1)])
def test_copied_without_times(sequence, tmp_path, then, now, same):
    copied = elsewhere(sequence, tmp_path / "copied", keep_times=False)
    assert are_the_same(sequence, copied, bool(then), bool(now)) == bool(same)


@pytest.mark.parametrize("then", [False, True])
def test_other_pictures(sequence, tmp_path, then):
    recorded = Pictures(sequence.frames, then).entry()
    change(sequence.frames[2], keep_time=False)
    assert not Pictures(sequence.frames).are(recorded)


def test_contents_see_what_sizes_and_times_do_not(sequence):
    recorded = Pictures(sequence.frames, True).entry()
    change(sequence.frames[2], keep_time=True)
    assert Pictures(sequence.frames).are(recorded)
    assert not Pictures(sequence.frames, True).are(recorded)


@pytest.mark.parametrize("recorded", [None, {}, [], {"stat": None}, {"contents": "x"}])
def test_entries_that_do_not_say(sequence, recorded):
    assert not Pictures(sequence.frames).are(recorded)


def test_pictures_that_are_gone_are_no_others(sequence):
    recorded = Pictures(sequence.frames).entry()
    Path(sequence.frames[0]).unlink()
    assert Pictures(sequence.frames).are(recorded)


def test_order_counts(sequence):
    recorded = Pictures(sequence.frames).entry()
    assert not Pictures(sequence.frames[::-1]).are(recorded)


def test_run_tracks_other_pictures_again(fakelab, sequence, tmp_path):
    run([sequence])
    folder = fakelab / "fake" / "plain"
    before = (folder / "a_float.txt").read_bytes()
    assert len(run([sequence]).kept) == 1
    other = make_sequence(tmp_path / "other", "b", 4)  # of other noise
    other = Sequence("a", other.frames, "otb", other.ground_truth_rect)
    with pytest.warns(UserWarning, match="'a', now in .*other.*, then those of .*data/a/img"):
        report = run([other])
    assert (len(report.done), len(report.kept)) == (1, 0)
    assert (folder / "a_float.txt").read_bytes() != before
    assert len(run([other]).kept) == 1


def test_contents_are_recorded_for_what_is_kept(fakelab, sequence, tmp_path):
    run([sequence])
    assert len(run([sequence], by_content=True).kept) == 1
    copied = elsewhere(sequence, tmp_path / "copied", keep_times=False)
    assert len(run([copied]).kept) == 1
