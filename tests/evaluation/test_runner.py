"""Runs over data sets: files, resuming, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.evaluation import Tracker, pool, runner, trackerlist, units
from pytracking_et.evaluation.runner import run_dataset
from pytracking_et.results import files as results

from .fakes import SPECS, files_of, make_list, make_sequence, run


@pytest.fixture
def given_to_the_pool(monkeypatch):
    """Units that the run would have started processes for."""
    given = []

    def take(work, *_):
        given.extend(work)
        yield from ()

    monkeypatch.setattr(pool, "run_in_processes", take)
    return given


def test_files_and_manifest(fakelab, tmp_path):
    report = run(make_list(tmp_path, *SPECS))
    folder = fakelab / "fake" / "plain"
    expected = {
        f"{name}{suffix}"
        for name, _, _ in SPECS
        for suffix in (".txt", "_float.txt", "_time.txt", "_object_presence_scores.txt")
    }
    assert {p.name for p in folder.iterdir()} - {".lock"} == expected | {"manifest.json"}
    assert [len(results.load_boxes(folder, name)) for name, _, _ in SPECS] == [3, 6, 4]
    assert (report.done, report.failed, report.frames) == (
        ["a (fake/plain)", "b c (fake/plain)", "ü (fake/plain)"],
        {},
        13,
    )
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    ((fingerprint, settings),) = manifest["settings"].items()
    assert manifest["tracker"] == "fake"
    assert settings["versions"]["pytracking_et"]
    assert settings["machine"]["cpu"]
    assert settings["wall_seconds"] > 0
    assert {e["fingerprint"] for e in manifest["sequences"].values()} == {fingerprint}


@pytest.mark.parametrize("threads", [0, 2])
def test_processes_write_the_same_bytes(fakelab, tmp_path, threads):
    sequences = make_list(tmp_path, *SPECS)
    run(sequences)
    base = files_of(fakelab / "fake" / "plain")
    other = Tracker("fake", "plain", 1)
    run(sequences, other, threads=threads)
    assert files_of(Path(other.results_dir)) == base


def test_second_run_keeps_everything(fakelab, tmp_path, monkeypatch):
    sequences = make_list(tmp_path, *SPECS)
    run(sequences)
    monkeypatch.setattr(runner, "run_unit", None)  # would fail if called
    report = run(sequences)
    assert (len(report.kept), report.done, report.frames) == (3, [], 0)


@pytest.mark.parametrize("damage", ["cut", "other weights", "other frames"])
def test_only_what_is_not_whole_runs_again(fakelab, tmp_path, damage):
    sequences = make_list(tmp_path, *SPECS)
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"1")
    tracker = Tracker("fake", "plain", checkpoint=weights)
    folder = Path(tracker.results_dir)
    run(sequences, tracker)
    whole = files_of(folder)
    again = ["b c (fake/plain)"]
    if damage == "cut":
        path = folder / "b c.txt"
        path.write_bytes(path.read_bytes()[:-2])
    elif damage == "other weights":
        weights.write_bytes(b"2")
        again = ["a (fake/plain)", "b c (fake/plain)", "ü (fake/plain)"]
    else:
        sequences[1] = make_sequence(tmp_path, "b c", 7)
    report = run(sequences, tracker)
    assert report.done == again
    assert len(report.kept) == 3 - len(again)
    if damage != "other frames":
        assert files_of(folder) == whole


def test_results_of_others_are_not_replaced_without_being_told(fakelab, tmp_path):
    folder = fakelab / "fake" / "plain"
    folder.mkdir(parents=True)
    theirs = "1\t2\t3\t4\n" * 3
    (folder / "a.txt").write_text(theirs)
    sequences = make_list(tmp_path, *SPECS)
    with pytest.raises(ResultsError, match=r"not made here, of 1 sequences: a; .*--no-resume"):
        run(sequences)
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    assert (folder / "a.txt").read_text() == theirs
    assert len(run(sequences[1:]).done) == 2
    assert len(run(sequences, resume=False).done) == 3


def test_ours_without_an_entry_run_again(fakelab, tmp_path):
    """As a run leaves them that is killed between the files and the manifest."""
    sequences = make_list(tmp_path, *SPECS)
    run(sequences)
    path = fakelab / "fake" / "plain" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["sequences"]["a"], content["sequences"]["b c"]["dataset"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert run(sequences).done == ["a (fake/plain)", "b c (fake/plain)"]
    path.unlink()
    assert len(run(sequences).done) == 3


def test_two_data_sets_share_a_folder(fakelab, tmp_path):
    first = make_list(tmp_path / "1", ("a", 3, 20.0))
    second = make_list(tmp_path / "2", ("z", 3, 20.0))
    run(first)
    run(second)
    assert len(run(first + second).kept) == 2


class Shown(list):
    """A display; the fake tracker appends to it."""

    def __init__(self, level, keys, info):
        self.given, self.registered = (level, keys["win_id"], info), []

    def register(self, data, kind, level, title):
        self.registered.append(title)


def test_display_is_for_one_process_only(fakelab, tmp_path, capsys):
    opened = []

    def display(*given):
        opened.append(Shown(*given))
        return opened[-1]

    sequences = make_list(tmp_path, *SPECS)
    info = {"use_visdom": True, "server": "box", "port": 1}
    run(sequences, debug=2, visdom_info=info, display=display)
    (shown,) = opened
    assert shown.given == (2, "Tracking", info) and shown.registered == ["Help"] and len(shown) > 3
    tracker = Tracker("fake", "plain")
    tracker.display = display
    run_dataset(sequences, [tracker], debug=2, resume=False, bar=False)
    assert len(opened) == 2
    report = run(sequences, debug=2, threads=1, resume=False, display=display)
    assert len(report.done) == 3
    assert "shown with --threads 0 only" in capsys.readouterr().err
    assert len(opened) == 2


def test_debug_without_a_display_says_so(fakelab, tmp_path):
    with pytest.warns(UserWarning, match="debug is 1, but nothing shows it: set .*Visdom"):
        run(make_list(tmp_path, *SPECS[:1]), debug=1)
    run(make_list(tmp_path, *SPECS[:1]), debug=1, resume=False, visdom_info={"use_visdom": False})


def test_longest_first(fakelab, tmp_path, given_to_the_pool):
    run(make_list(tmp_path, *SPECS), threads=2)
    assert [len(unit.frames) for unit in given_to_the_pool] == [6, 4, 3]


def test_the_same_tracker_twice_is_refused(fakelab, tmp_path):
    trackers = [Tracker("fake", "plain"), Tracker("fake", "plain")]
    with pytest.raises(ResultsError, match="give them run ids"):
        run_dataset(make_list(tmp_path, *SPECS), trackers)


def test_a_run_that_found_a_folder_taken_leaves_the_records_of_the_others(fakelab, tmp_path):
    sequences = make_list(tmp_path, ("bad", 5, 101.0))
    free, taken = trackerlist("fake", "plain", [0, 1])
    run_dataset(sequences, [free])
    before = (Path(free.results_dir) / "manifest.json").read_bytes()
    with results.run_lock(Path(taken.results_dir)), pytest.raises(ResultsError, match="another"):
        run_dataset(sequences, [free, taken])
    assert (Path(free.results_dir) / "manifest.json").read_bytes() == before


def test_sequences_of_the_same_name_are_refused(fakelab, tmp_path):
    sequences = make_list(tmp_path / "1", *SPECS) + make_list(tmp_path / "2", SPECS[1])
    with pytest.raises(ResultsError, match="two sequences are named 'b c'"):
        run(sequences)


def test_replacing_another_data_sets_results_is_said(fakelab, tmp_path):
    run([make_sequence(tmp_path / "1", "a", dataset="otb")])
    with pytest.warns(UserWarning, match="1 results of other data sets are replaced.*'a' of 'otb'"):
        run([make_sequence(tmp_path / "2", "a", dataset="tpl")])


def test_names_that_share_a_file_are_namesakes(fakelab, tmp_path):
    run([make_sequence(tmp_path / "1", "Ball", dataset="otb")])
    folder = fakelab / "fake" / "plain"
    # A second name of one file stands for a file system that ignores case.
    for suffix in (".txt", "_float.txt"):
        (folder / f"ball{suffix}").hardlink_to(folder / f"Ball{suffix}")
    with pytest.warns(UserWarning, match="'Ball' of 'otb' by 'ball' of 'vot'"):
        run([make_sequence(tmp_path / "2", "ball", dataset="vot")])


def test_manifest_names_no_path_of_this_machine(fakelab, tmp_path):
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"1")
    tracker = Tracker("fake", "plain", checkpoint=weights)
    run(make_list(tmp_path, *SPECS), tracker)
    text = (Path(tracker.results_dir) / "manifest.json").read_text(encoding="utf-8")
    (settings,) = json.loads(text)["settings"].values()
    assert settings["weights"]["file"] == "w.npz"
    assert str(tmp_path) not in text


def test_three_runs(fakelab, tmp_path):
    report = run_dataset(make_list(tmp_path, *SPECS), trackerlist("fake", "plain", range(3)))
    assert len(report.done) == 9
    folders = [fakelab / "fake" / f"plain_00{run_id}" for run_id in range(3)]
    assert files_of(folders[0]) == files_of(folders[1]) == files_of(folders[2])


def test_bar_shows_fps_and_time_left(fakelab, tmp_path, capsys):
    run(make_list(tmp_path, *SPECS), bar=True)
    text = capsys.readouterr().err
    assert "13/13" in text
    assert "frames/s" in text
    assert "left" in text


@pytest.mark.parametrize(
    ("processes", "cluster", "variable", "expected"),
    [(0, None, "", None), (0, None, "1", 1), (2, None, "", 4), (2, None, "1", 1)]
    + [(0, "tcp://x", "", 8), (4, "tcp://x", "2", 2)],
)
def test_processor_threads(monkeypatch, processes, cluster, variable, expected):
    monkeypatch.setattr(units, "cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert runner._processor_threads(processes, cluster) == expected


class TestEngineChosenOnce:
    """ "auto" is decided by the parent, for all workers and for later runs."""

    @pytest.fixture(autouse=True)
    def choices(self, fakelab, monkeypatch):
        self.asked = []
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

        def chosen_engine(params):
            self.asked.append((params.get("engine", "auto"), params.get("threads", None)))
            return f"engine{len(self.asked)}", "f32"

        fake = Tracker("fake", "plain").tracker_class
        monkeypatch.setattr(fake, "chosen_engine", staticmethod(chosen_engine), raising=False)

    def settings(self, tracker):
        text = (Path(tracker.results_dir) / "manifest.json").read_text(encoding="utf-8")
        return [(e["engine"], e["precision"]) for e in json.loads(text)["settings"].values()]

    def test_units_carry_the_choice(self, tmp_path, monkeypatch, given_to_the_pool):
        monkeypatch.setattr(runner, "threads_per_worker", lambda workers: 7)
        tracker = Tracker("fake", "plain")
        run(make_list(tmp_path, *SPECS), tracker, threads=2)
        (spec,) = {unit.spec for unit in given_to_the_pool}
        assert (spec.engine, spec.precision) == ("engine1", "f32")
        assert self.asked == [("auto", 7)]
        assert self.settings(tracker) == [("engine1", "f32")]
        assert tracker.spec.engine is None  # the caller's object is left alone

    def test_a_later_run_keeps_it(self, tmp_path):
        tracker = Tracker("fake", "plain")
        sequences = make_list(tmp_path, *SPECS)
        run(sequences[:1], tracker)
        report = run(sequences, tracker, threads=1)
        assert (len(report.kept), len(report.done)) == (1, 2)
        # The second time only whether this machine has it.
        assert [engine for engine, _ in self.asked] == ["auto", "engine1"]
        run(sequences, tracker)  # all kept: the engine is not needed
        assert len(self.asked) == 2
        assert self.settings(tracker) == [("engine1", "f32")]

    def test_without_resume_it_is_made_anew(self, tmp_path):
        tracker = Tracker("fake", "plain")
        sequences = make_list(tmp_path, *SPECS)
        run(sequences, tracker)
        assert len(run(sequences, tracker, resume=False).done) == 3
        assert self.settings(tracker) == [("engine1", "f32"), ("engine2", "f32")]

    def test_an_engine_asked_for_is_another_setting(self, tmp_path):
        sequences = make_list(tmp_path, *SPECS)
        run(sequences)
        assert len(run(sequences, Tracker("fake", "plain", engine="torch")).done) == 3
        assert self.asked == [("auto", None), ("torch", None)]
