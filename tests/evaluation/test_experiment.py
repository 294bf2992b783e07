"""Trackers of a run as the command line changes them."""

from __future__ import annotations

import sys

import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.evaluation import Tracker
from pytracking_et.evaluation.experiment import (
    load_experiment,
    override,
    select_sequences,
    select_trackers,
)

from .fakes import write_otb


def fields(tracker):
    spec = tracker.spec
    return spec.checkpoint, spec.engine, spec.precision, tracker.results_path


def test_only_what_is_given_is_replaced(tmp_path):
    written = {"checkpoint": "w.npz", "engine": "onnx", "precision": "f32"}
    (tracker,) = select_trackers("et_tracker", "et_tracker", results_path=str(tmp_path), **written)
    before = fields(tracker)
    assert [fields(t) for t in override([tracker])] == [before]
    given = {"checkpoint": "v.npz", "engine": "openvino", "precision": "int8"}
    (changed,) = override([tracker], results_path="out", **given)
    assert fields(changed)[:3] == ("v.npz", "openvino", "int8")
    assert str(changed.results_path) == "out"
    (partly,) = override([tracker], precision="bf16")
    assert fields(partly) == (*before[:2], "bf16", before[3])
    assert fields(tracker) == before, "the experiment's own is left alone"


def test_a_tracker_of_the_users_own_class_stays_one(tmp_path):
    class Mine(Tracker):
        pass

    (changed,) = override([Mine("et_tracker", "et_tracker", 1)], str(tmp_path), engine="onnx")
    assert type(changed) is Mine and changed.spec.engine == "onnx"
    assert changed.results_dir == str(tmp_path / "et_tracker" / "et_tracker_001")


def test_runs_are_numbered():
    assert [t.run_id for t in select_trackers("et_tracker", "et_tracker", runs=3)] == [0, 1, 2]
    with pytest.raises(ParameterError, match="--runs 0"):
        select_trackers("et_tracker", "et_tracker", runs=0)


@pytest.mark.parametrize(
    ("asked", "name"),
    [("0002", "0002"), ("0001", "0001"), ("2", "0003"), ("-1", "0003"), (0, "0001")],
)
def test_a_sequence_named_by_digits_is_no_number(tmp_path, asked, name):
    root = write_otb(tmp_path, *((each, 2, 20.0) for each in ("0001", "0002", "0003")))
    assert select_sequences(str(root), None, asked).names == [name]


EXPERIMENTS = """
from pytracking_et.evaluation import Sequence, Tracker

a, b = (Sequence(name, ["1.jpg"], "mine", [[1, 2, 3, 4]]) for name in "ab")
tracker = Tracker("et_tracker", "et_tracker")


def lists(): return [tracker], [a, b]
def alone(): return tracker, a
def lazy(): return (tracker for _ in "x"), (each for each in (a, b))
def name(): return [tracker], "otb"
def nothing(): return [tracker], None
def words(): return ["et_tracker"], [a]
def no_trackers(): return None, [a]
def nested(): return [tracker], [[a], [b]]
def asks(which): return [tracker], [a]
"""


@pytest.fixture
def experiments(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(EXPERIMENTS)
    return str(path)


@pytest.mark.parametrize(("name", "names"), [("lists", "ab"), ("alone", "a"), ("lazy", "ab")])
def test_what_an_experiment_may_return(experiments, name, names):
    trackers, dataset = load_experiment(experiments, name)
    assert [each.name for each in trackers] == ["et_tracker"]
    assert dataset.names == list(names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("name", "'name': the data set is 'otb'; it must be a list of Sequence objects"),
        ("nothing", "'nothing': the data set is None"),
        ("words", "trackers must be a list of Tracker objects"),
        ("no_trackers", "trackers must be a list of Tracker objects"),
        ("nested", r"'nested': \[.* in the data set is no Sequence; several data sets are joined"),
        ("asks", "'asks' takes arguments"),
        ("none", "there are: alone, asks, lazy, lists, name, nested, no_trackers, nothing, words"),
    ],
)
def test_experiments_that_are_none(experiments, name, message):
    with pytest.raises(ParameterError, match=message):
        load_experiment(experiments, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nimport no_such_package", r"no_such_package' \(.*broken.py, line 2\)$"),
        ("def e(:", r"SyntaxError: .*broken.py, line 1\)$"),
        ("import json\ndef e():\n    json.loads('')", r"JSONDecodeError: .*broken.py, line 3\)$"),
        ("def e(): exit(3)", r"SystemExit: 3 \(.*broken.py, line 1\)$"),
    ],
)
@pytest.mark.parametrize("named", ["broken.py", "broken", "lab.broken"])
def test_an_experiment_that_breaks_is_told_with_its_line(
    tmp_path, monkeypatch, text, message, named
):
    for folder in (tmp_path, tmp_path / "lab"):
        folder.mkdir(exist_ok=True)
        (folder / "broken.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("broken", "lab", "lab.broken"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(ParameterError, match=message):
        load_experiment(named, "e")


def test_what_a_package_of_experiments_lacks_is_told(tmp_path, monkeypatch):
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "__init__.py").write_text("import no_such_package")
    (tmp_path / "lacking" / "runs.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ParameterError, match="no_such_package"):
        load_experiment("lacking.runs", "e")
