"""`ettrack experiment`: modules, files, and what an experiment must return."""

from __future__ import annotations

import pytest

from pytracking_et.commands import main
from pytracking_et.tracker.plugins import VARIABLE
from tests.evaluation.fakes import files_of, write_otb

FILE = """
from pytracking_et.evaluation import Tracker, get_dataset, trackerlist

def two_trackers():
    return trackerlist("fake", "plain") + [Tracker("fake", "other", 1)], get_dataset("otb")

def one_tracker():
    return Tracker("fake", "silent"), get_dataset("otb")

def wrong():
    return ["fake"], get_dataset("otb")

def nothing():
    pass
"""


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "tests.fakelab")
    monkeypatch.setenv("PYTRACKING_ET_RESULTS_PATH", str(tmp_path / "results"))
    data = write_otb(tmp_path / "data", ("a", 4, 20.0), ("b", 5, 20.0))
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", str(data))
    path = tmp_path / "my lab" / "runs_of_mine.py"
    path.parent.mkdir()
    path.write_text(FILE, encoding="utf-8")
    return path


def test_file_with_two_trackers(experiment, tmp_path, capsys):
    assert main(["experiment", str(experiment), "two_trackers"]) == 0
    results = tmp_path / "results" / "fake"
    assert files_of(results / "plain") == files_of(results / "other_001")
    output = capsys.readouterr().out
    assert "fake/plain on otb" in output
    assert "fake/other_001 on otb" in output
    assert "4 sequences tracked" in output


def test_importable_module_and_overrides(experiment, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(experiment.parent)
    elsewhere = tmp_path / "elsewhere"
    assert main(["experiment", "runs_of_mine", "one_tracker", "--results", str(elsewhere)]) == 0
    assert (elsewhere / "fake" / "silent" / "a.txt").is_file()


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (None, "no_such", "no experiment 'no_such'.*there are: nothing, one_tracker, two_tra"),
        (None, "wrong", "trackers must be a list of Tracker"),
        (None, "nothing", "returned NoneType"),
        ("no_such_module", "x", "there are: myexperiments"),
        ("no_such_file.py", "x", "no experiment file"),
        ("myexperiments", "x", "there are: got10k_three_runs, otb_baseline, uav_test"),
    ],
)
def test_bad_experiments(experiment, capsys, module, name, message):
    import re

    assert main(["experiment", module or str(experiment), name]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_example_file_works(experiment):
    from pytracking_et.evaluation.experiment import load_experiment

    trackers, dataset = load_experiment("myexperiments", "otb_baseline")
    assert [tracker.display_name for tracker in trackers] == ["E.T.Track", "LT-Mobile"]
    assert dataset.names == ["a", "b"]
