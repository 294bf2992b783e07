"""`ettrack run`: pytracking's arguments, exit codes, and what is printed."""

from __future__ import annotations

import argparse
import re

import pytest

from pytracking_et.commands import main, parser_for, run
from pytracking_et.live import visdom_server
from pytracking_et.tracker.plugins import VARIABLE
from tests.evaluation.fakes import files_of, write_otb

SPECS = [("a", 4, 20.0), ("b c", 6, 20.0), ("ü", 5, 20.0)]


@pytest.fixture
def data(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "tests.fakelab")
    monkeypatch.setenv("PYTRACKING_ET_RESULTS_PATH", str(tmp_path / "results"))
    return write_otb(tmp_path / "data", *SPECS)


def parse(*words: str) -> argparse.Namespace:
    return parser_for("run").parse_args(["t", "p", *words])


def test_defaults_are_pytrackings():
    args = parse()
    assert (args.tracker_name, args.tracker_param, args.runid) == ("t", "p", None)
    assert (args.dataset_name, args.sequence, args.debug, args.threads) == ("otb", None, 0, 0)
    assert run.visdom_info(args) == {
        "use_visdom": True,
        "server": "127.0.0.1",
        "port": 8097,
        "started": False,
    }
    assert args.resume


@pytest.mark.parametrize(
    ("words", "level", "started"),
    [
        ([], 0, None),
        (["--debug", "2"], 2, None),
        (["--visdom-start"], 1, 8097),
        (["--visdom-start", "true", "--debug", "3", "--visdom_port", "80"], 3, 80),
        (["--visdom-start", "--use_visdom", "false"], 0, None),
    ],
)
def test_visdom_start_brings_a_server_and_panels(monkeypatch, words, level, started):
    ports = []
    monkeypatch.setattr(visdom_server, "LocalServer", lambda port: ports.append(port))
    args = parse(*words)
    run.visdom_server(args)
    assert run.debug_level(args) == level
    assert ports == ([] if started is None else [started])


@pytest.mark.parametrize("command", ["run", "experiment", "webcam", "video"])
def test_the_option_that_the_visdom_notice_names_exists(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--visdom-start" in capsys.readouterr().out


def call(data, *words: str) -> int:
    return main(["run", "fake", "plain", "--dataset", "otb", "--dataset-root", str(data), *words])


def test_run_prints_table_and_summary(data, tmp_path, capsys):
    assert call(data) == 0
    output = capsys.readouterr().out
    header = next(line for line in output.splitlines() if "auc" in line)
    assert header.split() == ["auc", "precision", "norm_precision", "frames", "fps"]
    assert all(f"\n{name}" in output for name in ("a ", "b c ", "ü ", "mean "))
    assert "rule pytracking" in output
    assert "3 sequences tracked, 0 kept from earlier runs, 0 failed; 15 frames" in output
    assert (tmp_path / "results" / "fake" / "plain" / "b c.txt").is_file()
    assert call(data) == 0
    output = capsys.readouterr().out
    assert "0 sequences tracked, 3 kept" in output
    assert "\nmean " in output


@pytest.mark.parametrize(("word", "name"), [("1", "b c"), ("ü", "ü"), ("-1", "ü")])
def test_one_sequence_by_number_or_name(data, tmp_path, word, name):
    assert call(data, f"--sequence={word}", "--results", str(tmp_path / "elsewhere")) == 0
    folder = tmp_path / "elsewhere" / "fake" / "plain"
    assert {p.name for p in folder.glob("*_float.txt")} == {f"{name}_float.txt"}


def test_run_ids(data, tmp_path):
    assert call(data, "--runid", "7") == 0
    assert call(data, "--runs", "3", "--sequence", "a") == 0
    folders = {path.name for path in (tmp_path / "results" / "fake").iterdir()}
    assert folders == {"plain_000", "plain_001", "plain_002", "plain_007"}


def test_any_folder_of_frames_is_a_data_set(data, tmp_path):
    assert main(["run", "fake", "plain", "--dataset", str(data / "a")]) == 0


@pytest.mark.parametrize(("left", "reason"), [(80, "ImageError"), (None, "missing")])
def test_a_bad_frame_fails_its_sequence_alone_and_leaves_with_1(data, capsys, left, reason):
    frame = data / "b c" / "img" / "0003.png"
    content = frame.read_bytes()
    frame.unlink()
    if left:
        frame.write_bytes(content[:left])
    assert call(data) == 1
    output = capsys.readouterr().out
    for told in (f"FAILED b c (fake/plain): {reason}", "0003.png", "2 sequences tracked"):
        assert told in output
    assert "failures.log" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nobody", "plain"], "unknown tracker 'nobody'; there are: et_tracker, fake"),
        (["run", "fake", "nothing"], "unknown parameter file 'nothing'"),
        (["run", "fake", "plain", "--dataset", "nodata"], "'nodata' is neither"),
        (["run", "fake", "plain", "--sequence", "z"], "no sequence 'z'"),
        (["run", "fake", "plain", "--sequence", "9"], "sequence number 9 does not exist"),
        (["run", "fake", "plain", "--runs", "2", "--runid", "1"], "no --runid"),
        (["run", "et_tracker", "lt_mobile", "--checkpoint", "none.npz"], "none.npz"),
    ],
)
def test_bad_input_leaves_with_2_and_one_message(data, tmp_path, capsys, words, message):
    if "--dataset" not in words:
        words = [*words, "--dataset-root", str(data)]
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_wrong_root_lists_what_is_missing_once(data, tmp_path, capsys):
    for name, _, _ in SPECS:
        (data / name / "groundtruth_rect.txt").unlink()
    assert call(data) == 2
    errors = capsys.readouterr().err
    assert "3 files or folders of 3 sequences are missing" in errors
    assert not (tmp_path / "results").exists()


EXPERIMENTS = """
from pytracking_et.evaluation import Tracker, get_dataset, trackerlist

def two_trackers():
    return trackerlist("fake", "plain") + [Tracker("fake", "other", 1)], get_dataset("otb")

def one_tracker():
    return Tracker("fake", "silent"), get_dataset("otb")

def nothing():
    pass
"""


@pytest.fixture
def experiment(monkeypatch, tmp_path, data):
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", str(data))
    path = tmp_path / "my lab" / "runs_of_mine.py"
    path.parent.mkdir()
    path.write_text(EXPERIMENTS, encoding="utf-8")
    return path


def test_file_with_two_trackers(experiment, tmp_path, capsys):
    assert main(["experiment", str(experiment), "two_trackers"]) == 0
    results = tmp_path / "results" / "fake"
    assert files_of(results / "plain") == files_of(results / "other_001")
    output = capsys.readouterr().out
    assert "fake/plain on otb" in output
    assert "fake/other_001 on otb" in output
    assert "6 sequences tracked" in output


def test_importable_module_and_overrides(experiment, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(experiment.parent)
    elsewhere = tmp_path / "elsewhere"
    assert main(["experiment", "runs_of_mine", "one_tracker", "--results", str(elsewhere)]) == 0
    assert (elsewhere / "fake" / "silent" / "a.txt").is_file()


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (None, "no_such", "no experiment 'no_such'.*there are: nothing, one_tracker, two_tra"),
        (None, "nothing", "returned NoneType"),
        ("no_such_module", "x", "there are: myexperiments"),
        ("no_such_file.py", "x", "no experiment file"),
        ("myexperiments", "x", "there are: got10k_three_runs, otb_baseline, uav_test"),
    ],
)
def test_bad_experiments(experiment, capsys, module, name, message):
    assert main(["experiment", module or str(experiment), name]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_example_file_works(experiment):
    from pytracking_et.evaluation.experiment import load_experiment

    trackers, dataset = load_experiment("myexperiments", "otb_baseline")
    assert [tracker.display_name for tracker in trackers] == ["E.T.Track", "LT-Mobile"]
    assert dataset.names == ["a", "b c", "ü"]
