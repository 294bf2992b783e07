"""The manifest: what counts as finished, and what tells two runs apart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.results import files as results
from pytracking_et.results import manifest
from pytracking_et.results.files import Result
from pytracking_et.results.manifest import Manifest
from pytracking_et.tracker.params import TrackerParams

BOX = [1.0, 2.0, 3.0, 4.0]
ASKED = {"sequence": "s", "fingerprint": "f", "dataset": "otb", "frames": 2, "init_box": BOX}


@pytest.fixture
def book(tmp_path):
    """A folder with one finished sequence, its manifest read back from disk."""
    results.save(tmp_path, "s", Result([BOX, BOX], [0.1, 0.2], [1.0, 0.5]))
    book = Manifest.open(tmp_path, "t", "p")
    book.begin("f", {"engine": "torch"})
    book.record("s", "f", "otb", BOX, [0.1, 0.2], {})
    book.write()
    return Manifest.open(tmp_path, "t", "p")


def test_finished_sequence_is_done(book):
    assert book.is_done(**ASKED)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": "other"},
        {"fingerprint": "g"},
        {"dataset": "uav"},
        {"frames": 3},
        {"init_box": [1.0, 2.0, 3.0, 5.0]},
    ],
)
def test_other_settings_or_frames_are_not_done(book, change):
    assert not book.is_done(**{**ASKED, **change})


@pytest.mark.parametrize("name", ["s.txt", "s_float.txt", "s_time.txt"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "longer"])
def test_damaged_files_are_not_done(book, tmp_path, name, damage):
    path = tmp_path / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-3], "empty": b"", "longer": content * 2}[damage])
    assert not book.is_done(**ASKED)


def test_an_entry_without_a_digest_is_not_done(book, tmp_path):
    book.content["sequences"]["s"]["sha256"] = None
    (tmp_path / "s.txt").unlink()
    assert not book.is_done(**ASKED)


def test_wall_time_adds_up_over_resumed_runs(book, tmp_path):
    for seconds in (1.5, 2.0):
        book = Manifest.open(tmp_path, "t", "p")
        book.begin("f", {"engine": "torch"})
        book.end("f", seconds, {"x": "failed"})
        book.write()
    content = json.loads((tmp_path / manifest.MANIFEST_FILE).read_text(encoding="utf-8"))
    assert content["settings"]["f"]["wall_seconds"] == 3.5
    assert content["settings"]["f"]["failed"] == {"x": "failed"}
    assert content["sequences"]["s"]["seconds"] == 0.3


def test_where_a_part_was_done_before_is_kept(book):
    here, there = {"machine": {"cpu": "a"}, "processes": 4}, {"machine": {"cpu": "b"}}
    for settings in (here, {**there, "processes": 4}, {**there, "processes": 4}):
        book.begin("g", settings)
    assert book.content["settings"]["g"]["earlier"] == [here]


def test_failures_stay_until_there_are_results(book):
    book.begin("g", {})
    book.end("g", 1.0, {"a": "x", "b": "y"})
    book.begin("g", {})
    book.end("g", 1.0, {"c": "z"}, finished=["a"])
    assert book.content["settings"]["g"]["failed"] == {"b": "y", "c": "z"}


def fingerprint_of(weights="w", **fields):
    described = manifest.describe_parameters(TrackerParams(**fields))
    return manifest.fingerprint("t", "p", described, weights)


def test_a_run_that_keeps_everything_leaves_what_is_written_of_the_one_that_tracked(book):
    book.begin("g", {"started": "monday"}, tracking=False)
    book.begin("h", {"started": "monday"})
    book.begin("g", {"started": "tuesday"}, tracking=False)
    assert book.content["settings"]["g"]["started"] == "monday"
    assert list(book.content["settings"])[-1] == "g", "the latest is still known"
    book.begin("g", {"started": "wednesday"})
    assert book.content["settings"]["g"]["started"] == "wednesday"


def test_the_engine_is_that_of_the_last_run(book):
    assert book.engine_of("a") is None
    for fingerprint, engine in (("g", "torch"), ("h", "openvino")):
        book.begin(fingerprint, {"asked": "a", "engine": engine, "precision": "f32"})
    assert book.engine_of("a") == ("openvino", "f32")


def test_fingerprint_counts_what_decides_the_boxes():
    base = fingerprint_of(lr=0.5)
    assert fingerprint_of(lr=0.5) == base
    assert fingerprint_of(lr=0.5, debug=3, threads=8, checkpoint="elsewhere/w.npz") == base
    assert fingerprint_of(lr=0.6) != base
    assert fingerprint_of(lr=0.5, extra=1) != base
    assert fingerprint_of(lr=0.5, engine="onnx") != base
    assert fingerprint_of(lr=0.5, weights="v") != base
    assert manifest.fingerprint("t", "q", {"lr": 0.5}, "w") != base


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("old", "abc")], []),
        ([("old", "abc"), ("new", "abc")], []),
        ([("old", "abc"), ("new", "b")], ["a", "c"]),
        ([("old", "abc"), ("new", "b"), ("old", "b")], []),
        ([("old", "abc"), ("new", "bc"), ("old", "c")], ["b"]),
        ([("old", "abc"), ("new", "xyz")], []),  # not asked for
    ],
)
def test_older_settings(tmp_path, runs, expected):
    for fingerprint, sequences in runs:
        book = Manifest.open(tmp_path, "t", "p")
        book.begin(fingerprint, {"started": "the same second"})
        for name in sequences:
            book.record(name, fingerprint, "otb", BOX, [0.1], {})
        book.write()
    content = manifest.read_manifest(tmp_path / manifest.MANIFEST_FILE)
    assert manifest.older_settings(content, "abc") == expected


@pytest.mark.parametrize("content", [None, [], {"wall_time": 1.5}, {"format": 1}])
def test_manifests_of_others_say_nothing_of_settings(content):
    assert manifest.older_settings(content, ["a"]) == []


def test_fingerprints_of_plain_values_stay():
    """Finished results carry them: another text would have them all computed again."""
    described = manifest.describe_parameters(
        TrackerParams(a=0.5, b=[1, (2, 3)], c={"y": None, "x": True}, d=np.float32([0.5, 1]), e="t")
    )
    text = json.dumps(described, sort_keys=True)
    assert text == (
        '{"a": 0.5, "b": [1, [2, 3]], "c": {"x": true, "y": null}, "d": [0.5, 1.0], "e": "t"}'
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("ab", "openvino f32"),
        ("abc", "MIXED, by sequences: openvino f32 (2), torch bf16 (1)"),
        ("cab", "MIXED, by sequences: openvino f32 (2), torch bf16 (1)"),
        ("d", ""),
        ("x", ""),
        ("xay", "MIXED, by sequences: not known (2), openvino f32 (1)"),
    ],
)
def test_engines_of_sequences(names, expected):
    made = {"a": "1", "b": "1", "c": "2", "d": "3"}
    content = {
        "format": manifest.FORMAT,
        "sequences": {name: {"fingerprint": one} for name, one in made.items()},
        "settings": {
            "1": {"engine": "openvino", "precision": "f32"},
            "2": {"engine": "torch", "precision": "bf16"},
            "3": {"engine": None, "precision": None},
        },
    }
    assert manifest.engines_text(content, names) == expected
    assert manifest.engines_text({**content, "format": 0}, names) == ""
    assert manifest.engines_text(None, names) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "move it away"),
        ("[]", "holds a list.*move it away"),
        ("3", "holds a int"),
        ("{}", "names no format"),
        ('{"format": "1"}', "names no format"),
        ('{"format": 1}', "'settings' is no object"),
        ('{"format": 1, "settings": [], "sequences": {}}', "'settings' is no object"),
        ('{"format": 1, "settings": {}, "sequences": 3}', "'sequences' is no object"),
        ('{"format": 1, "settings": {}, "sequences": {"a": 3}}', "'a' is no object"),
        ('{"format": 1, "settings": {"f": {"engine": 3}}, "sequences": {}}', "'engine' of 'f' is"),
        ('{"format": 1, "settings": {"f": {"wall_seconds": "x"}}, "sequences": {}}', "'x'"),
        ('{"format": 1, "settings": {}, "sequences": {"a": {"dataset": [1]}}}', "'dataset' of"),
        ('{"format": 1, "settings": {}, "sequences": {"a": {"pictures": 1}}}', "'pictures' of"),
        ("[" * 100_000, "cannot read"),
        ('{"format": 2}', "has format 2, this version knows 1"),
    ],
)
def test_what_is_no_manifest_is_told_and_left_alone(tmp_path, text, message):
    (tmp_path / manifest.MANIFEST_FILE).write_text(text)
    with pytest.raises(ResultsError, match=message):
        Manifest.open(tmp_path, "t", "p")
    assert (tmp_path / manifest.MANIFEST_FILE).read_text() == text


def test_paths_that_are_no_utf8_survive(tmp_path):
    book = Manifest.open(tmp_path, "t", "p")
    book.content["settings"]["f"] = {"failed": {"a": "frame '/\udcca\udcd3/1.jpg'"}}
    book.write()
    assert Manifest.open(tmp_path, "t", "p").content == book.content


def test_fingerprint_outlives_a_release(monkeypatch):
    """Of version 0.1.0: its results are kept, whatever the version of the package."""
    monkeypatch.setattr("pytracking_et.version.__version__", "9.9.9")
    assert manifest.fingerprint("t", "p", {"lr": 0.5}, "w") == "0e571e56f10e263c"
