"""Runs that break: failing sequences, dead workers, Ctrl-C, disks that are full or not ours."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.analysis.summary import result_tables
from pytracking_et.errors import ParameterError, ResultsError
from pytracking_et.evaluation import Sequence, Tracker, run_dataset
from pytracking_et.evaluation.experiment import run_and_report
from pytracking_et.results import files as results

from .fakes import SPECS, files_of, make_list, run


@pytest.mark.parametrize("threads", [0, 2])
def test_failing_sequence_is_named_and_the_run_goes_on(fakelab, tmp_path, threads):
    specs = [("good", 5, 20.0), ("bad", 5, 101.0), ("nan", 5, 104.0), ("last", 5, 20.0)]
    sequences = make_list(tmp_path, *specs)
    Path(sequences[3].frames[1]).write_bytes(b"")
    report = run(sequences, threads=threads)
    assert report.done == ["good (fake/plain)"]
    starts = {
        "bad (fake/plain)": "RuntimeError: the fake tracker",
        "nan (fake/plain)": "ResultsError: fake on 'nan', f",
        "last (fake/plain)": "ImageError: frame '",
    }
    assert report.failed.keys() == starts.keys()
    assert all(report.failed[name].startswith(start) for name, start in starts.items())
    log = (fakelab / "fake" / "plain" / "failures.log").read_text(encoding="utf-8")
    assert "bad (fake/plain): RuntimeError" in log
    assert "in _obey" in log
    assert "0002.png" in log
    assert "FAILED bad" in report.summary()
    assert "failures.log" in report.summary()


def test_failed_sequence_is_tried_again_next_time(fakelab, tmp_path):
    sequences = make_list(tmp_path, ("good", 5, 20.0), ("bad", 5, 20.0))
    frame = Path(sequences[1].frames[1])
    content = frame.read_bytes()
    frame.write_bytes(content[:50])
    assert list(run(sequences).failed) == ["bad (fake/plain)"]
    frame.write_bytes(content)
    report = run(sequences)
    assert (report.done, report.failed) == (["bad (fake/plain)"], {})


def test_missing_annotation_fails_that_sequence_alone(fakelab, tmp_path):
    from pytracking_et.errors import DatasetError

    def truth():
        raise DatasetError("no annotation /data/x.txt")

    sequences = make_list(tmp_path, ("good", 3, 20.0))
    sequences.append(Sequence("lost", sequences[0].frames, "otb", truth))
    report = run(sequences)
    assert report.done == ["good (fake/plain)"]
    assert report.failed == {"lost (fake/plain)": "no annotation /data/x.txt"}


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([[float("nan")] * 4] * 3, "its first box is [nan, nan, nan, nan], which nobody can track"),
        ([[1, 2, -3, 4]] * 3, "its first box is [1.0, 2.0, -3.0, 4.0]"),
        (np.zeros((0, 4)), "ground truth has no rows"),
    ],
)
def test_a_first_box_that_nobody_can_track(fakelab, tmp_path, truth, message):
    sequences = make_list(tmp_path, ("good", 3, 20.0))
    sequences.append(Sequence("lost", sequences[0].frames, "otb", truth))
    report = run(sequences)
    assert report.done == ["good (fake/plain)"]
    assert message in report.failed["lost (fake/plain)"]


def test_a_bad_annotation_counts_in_every_run_until_it_is_mended(fakelab, tmp_path):
    (good,) = make_list(tmp_path, ("good", 3, 20.0))
    trackers = [Tracker("fake", "plain", one) for one in (0, 1)]
    lost = Sequence("lost", good.frames, "otb", [[float("nan")] * 4] * 3)
    assert list(run_dataset([lost], trackers).failed) == [
        "lost (fake/plain_000)",
        "lost (fake/plain_001)",
    ]
    mended = Sequence("lost", good.frames, "otb", good.ground_truth_rect)
    assert len(run_dataset([mended], trackers).done) == 2
    for one in trackers:
        content = json.loads((Path(one.results_dir) / "manifest.json").read_text(encoding="utf-8"))
        assert [entry.get("failed") for entry in content["settings"].values()] == [{}]


def test_a_sequence_that_starts_without_a_box(fakelab, tmp_path):
    (good,) = make_list(tmp_path, ("good", 3, 20.0))
    masks = {0: {"mask": np.ones((24, 32), np.uint8)}}
    lost = Sequence("lost", good.frames, "otb", good.ground_truth_rect, init_data=masks)
    report = run([good, lost])
    assert report.done == ["good (fake/plain)"]
    assert "its first box is None" in report.failed["lost (fake/plain)"]


@pytest.mark.parametrize("width", [107.0, 108.0], ids=["sys.exit(0)", "GeneratorExit"])
def test_an_exit_of_a_tracker_is_no_end_of_the_run(fakelab, tmp_path, width):
    report = run(make_list(tmp_path, ("bad", 5, width), ("good", 5, 20.0)), threads=0)
    assert report.done == ["good (fake/plain)"]
    assert list(report.failed) == ["bad (fake/plain)"]


@pytest.mark.parametrize(
    ("limit", "keywords", "message"),
    [
        (0.0, {"threads": 1}, "not a positive"),
        (float("nan"), {"threads": 1}, "not a positive"),
        (5.0, {"threads": 0}, "needs --threads 1"),
        (5.0, {"threads": 1, "cluster": "tcp://x:1"}, "needs --threads 1"),
    ],
)
def test_time_limits_that_cannot_be_kept(fakelab, tmp_path, limit, keywords, message):
    with pytest.raises(ParameterError, match=message):
        run(make_list(tmp_path, *SPECS), time_limit=limit, **keywords)
    assert not fakelab.exists()


@pytest.mark.parametrize("encoding", ["latin-1", "gbk", "ascii"])
def test_a_terminal_that_lacks_letters(fakelab, tmp_path, monkeypatch, encoding):
    sequences = make_list(tmp_path, ("视频 é \U0001f600", 5, 20.0), ("bad ü", 5, 101.0))
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, name, stream)
    assert run_and_report(sequences, [Tracker("fake", "plain")], result_tables) == 1
    sys.stderr.flush()
    assert b"\\U0001f600" in sys.stderr.buffer.getvalue()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are always UTF-8")
def test_frames_in_a_folder_that_is_no_utf8(fakelab, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xca\xd3"))
    sequences = make_list(folder, ("a", 5, 20.0), ("bad", 5, 20.0))
    Path(sequences[1].frames[2]).write_bytes(b"no image")
    report = run(sequences)
    assert report.done == ["a (fake/plain)"]
    assert list(report.failed) == ["bad (fake/plain)"]
    assert len(run(sequences).kept) == 1


@pytest.mark.parametrize("name", ["manifest.json", "a.txt", "a_time.txt", ".a.txt.x.tmp.txt"])
def test_a_folder_where_a_file_is_expected(fakelab, tmp_path, name):
    (fakelab / "fake" / "plain" / name / "inside").mkdir(parents=True)
    with pytest.raises(ResultsError, match="Is a directory|Permission|not permitted"):
        run(make_list(tmp_path, *SPECS))


@pytest.mark.parametrize("threads", [0, 2])
def test_ctrl_c_keeps_what_is_done(fakelab, tmp_path, monkeypatch, capsys, threads):
    sequences = make_list(tmp_path, *SPECS)
    real, calls = results.save, []

    def save(*args):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(args)
        real(*args)

    monkeypatch.setattr(results, "save", save)
    with pytest.raises(KeyboardInterrupt):
        run(sequences, threads=threads)
    assert "finished sequences are kept" in capsys.readouterr().err
    monkeypatch.setattr(results, "save", real)
    report = run(sequences)
    assert (len(report.kept), len(report.done)) == (1, 2)


@pytest.mark.parametrize("threads", [0, 2])
def test_full_disk_stops_the_run_and_loses_nothing(fakelab, tmp_path, small_disk, threads):
    sequences = make_list(tmp_path, ("first", 5, 20.0), ("long", 700, 20.0), ("last", 5, 20.0))
    tracker = Tracker("fake", "plain", results_path=small_disk.folder)
    folder = Path(tracker.results_dir)
    run(sequences[:1], tracker)
    before = files_of(folder)
    with pytest.raises(ResultsError, match="No space left on device; finished sequences are kept"):
        run(sequences[:2], tracker, threads=threads)
    assert files_of(folder) == before
    small_disk.remount("size=1m")
    report = run(sequences, tracker, threads=threads)
    assert (len(report.kept), len(report.done), report.failed) == (1, 2, {})


def test_read_only_disk(fakelab, tmp_path, small_disk):
    small_disk.remount("ro")
    tracker = Tracker("fake", "plain", results_path=small_disk.folder)
    with pytest.raises(ResultsError, match="cannot write results to.*Read-only file system"):
        run(make_list(tmp_path, *SPECS), tracker)


def test_unreadable_folder_fails_its_sequence_alone(fakelab, tmp_path, monkeypatch):
    # Simulated: tests may run as root, who may read everything.
    sequences = make_list(tmp_path, *SPECS)
    real = os.listdir

    def listdir(folder="."):
        if "b c" in str(folder):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    report = run(sequences)
    assert len(report.done) == 2
    assert "Permission denied" in report.failed["b c (fake/plain)"]


def test_clock_set_back_leaves_times_and_wall_time_alone(fakelab, tmp_path, monkeypatch):
    import time

    past = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(past)))
    report = run(make_list(tmp_path, *SPECS))
    assert 0 <= report.seconds < 600
    folder = fakelab / "fake" / "plain"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert all(entry["wall_seconds"] >= 0 for entry in manifest["settings"].values())
    assert (results.load_values(folder, "a", "time") >= 0).all()
