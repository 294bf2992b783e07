"""The benchmark: every subject in a process of its own, figures beside the plain network's."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pytracking_et.benchmark import Measurement, Subject, measure, roofline, subjects
from pytracking_et.benchmark.measure import _Process, resident_memory
from pytracking_et.benchmark.report import plot, read_accuracy, table, write_json
from pytracking_et.benchmark.subjects import open_subject
from pytracking_et.commands import main
from pytracking_et.commands.benchmark import _roofline
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.package import sample_crop
from pytracking_et.errors import EngineError, ParameterError, ResultsError
from tests.engines.conftest import NETWORK, weight_file  # noqa: F401


@pytest.fixture(scope="module")
def frames():
    return [np.roll(sample_crop(200, 3), 2 * shift, 1) for shift in range(9)]


BOX = np.array([80.0, 80.0, 40.0, 40.0])


def test_memory_of_this_process():
    now, most = resident_memory(), resident_memory(peak=True)
    assert now is None or 20 < now <= most


@pytest.mark.slow
def test_measure(frames, weight_file, tmp_path):  # noqa: F811
    common = {"network": NETWORK, "checkpoint": str(weight_file)}
    rows = [
        Subject("plain", "plain", **common),
        Subject("engine", "torch", "f32", targets=2, **common),
        Subject("engine", "torch", "f32", network=NETWORK, checkpoint=str(tmp_path / "none.npz")),
    ]
    plain, torch, broken = measure(rows, frames, BOX, rounds=1)
    assert plain.error == torch.error == ""
    assert "none.npz" in broken.error
    for result in (plain, torch):
        assert result.frames == 8 and result.start > 0
        assert 0 < result.network < result.total <= result.p95
        assert result.memory is None or result.memory > 50
    assert torch.ratio == pytest.approx(plain.network / torch.total)
    write_json(tmp_path / "b.json", [plain, torch, broken], {"million_multiply_adds": {}})
    stored = json.loads((tmp_path / "b.json").read_text())
    assert stored["machine"]["cpu"] and len(stored["results"]) == 3


def test_a_subject_that_was_killed_between_its_turns():
    ours, theirs = multiprocessing.Pipe()
    theirs.close()
    dead = object.__new__(_Process)
    dead.connection, dead.process, dead.error = ours, SimpleNamespace(exitcode=-9), ""
    dead.run(1, 9, keep=True)
    assert dead.error == "the process ended (exit code -9)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "."], "--json . is a folder"),
        (["--plot", ".", "--accuracy", "a.json"], "--plot . is a folder"),
        (["--plot", "p", "--accuracy", "a.json"], "--plot p: its ending decides"),
        (["--plot", "p.doc", "--accuracy", "a.json"], "one of eps,"),
        (["--box", "1", "2", "30", "40"], "--video and --box go together"),
        (["--video", "clip.mp4"], "--video and --box go together"),
        (["--frames", "-1"], "--frames -1: give at least 1"),
        (["--rounds", "0"], "--rounds 0: give at least 1"),
    ],
)
def test_what_cannot_be_done_is_told_before(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text('{"et_tracker": 60}')
    assert main(["benchmark", *words]) == 2
    assert message in capsys.readouterr().err


def test_too_short_a_clip(frames):
    with pytest.raises(EngineError, match="3 frames"):
        measure([Subject("plain", "plain")], frames[:3], BOX)


def test_frames_of_several_sizes(frames):
    with pytest.raises(EngineError, match="several sizes"):
        measure([Subject("plain", "plain")], [*frames, frames[0][:-1]], BOX)


@pytest.mark.parametrize("engines", [["torch"], []])
def test_several_targets_are_of_the_first_engine(engines, weight_file):  # noqa: F811
    from pytracking_et.commands.benchmark import _rows

    words = {"engines": engines, "precisions": ["f32"], "peers": None, "parameters": ["et_tracker"]}
    given = {"network": NETWORK, "checkpoint": str(weight_file), "roofline": False}
    rows = _rows(SimpleNamespace(threads=[1], targets=[1, 4], **words, **given))
    several = [row for row in rows if row.targets == 4]
    assert [row.kind for row in several] == ["engine"]
    assert several[0].name in (engines or [row.name for row in rows if row.kind == "engine"])


def test_exported_graphs_have_no_choice_and_no_roofline(tmp_path, monkeypatch):
    from pytracking_et.commands.benchmark import _auto, _rows

    subjects_module = importlib.import_module("pytracking_et.benchmark.subjects")
    (tmp_path / "metadata.json").write_text("{}")
    named = {"network": NETWORK, "checkpoint": str(tmp_path), "threads": [1]}
    (line,) = _auto(SimpleNamespace(again=False, **named))
    assert "exported graphs" in line
    asked = {"engines": [], "precisions": [], "peers": None, "parameters": [], "targets": []}
    monkeypatch.setattr(
        subjects_module.Metadata,
        "read",
        lambda folder: SimpleNamespace(format="onnx", precision="f32"),
    )
    monkeypatch.setattr(subjects_module, "installed", lambda name: True)
    rows = subjects_module.subjects([1], Model.find(NETWORK, tmp_path), parameters=["et_tracker"])
    kinds = {(row.kind, row.name, row.precision) for row in rows if row.kind != "peer"}
    assert kinds == {("engine", "openvino", "f32"), ("engine", "onnx", "f32")}
    with pytest.raises(ParameterError, match="--roofline needs a weight file"):
        _rows(SimpleNamespace(roofline=True, **asked, **named))


def test_subjects_that_can_run(weight_file):  # noqa: F811
    model = Model.find(NETWORK, weight_file)
    rows = subjects([1, 2], model, engines=["torch"])
    labels = [(row.label, row.threads) for row in rows if row.kind != "peer"]
    assert labels == [("plain", 1), ("torch f32", 1), ("plain", 2), ("torch f32", 2)]
    assert not any(row.name == "Nano" for row in rows)


@pytest.mark.parametrize(
    ("flags", "precisions", "wanted"),
    [
        ({"avx2"}, [], {"f32"}),
        ({"avx2", "avx512_bf16"}, [], {"f32", "bf16"}),
        ({"amx_bf16"}, [], {"f32", "bf16"}),
        ({"amx_bf16"}, ["f32"], {"f32"}),
        ({"avx2"}, ["bf16"], {"bf16"}),
    ],
)
def test_bf16_is_measured_where_the_cpu_has_it(flags, precisions, wanted, weight_file, monkeypatch):  # noqa: F811
    from pytracking_et.benchmark import report
    from pytracking_et.engines import catalogue

    for place in (catalogue, report):
        monkeypatch.setattr(place, "cpu_flags", lambda: frozenset(flags))
    # The package has a function of the module's name.
    module = sys.modules["pytracking_et.benchmark.subjects"]
    monkeypatch.setattr(module, "installed", lambda name: True)
    model = Model.find(NETWORK, weight_file)
    rows = subjects([1], model, ["openvino"], precisions)
    assert {row.precision for row in rows if row.kind == "engine"} == wanted
    assert set(report.machine()["instructions"]) == flags


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"avx2"}, "auto takes, with 2 thread(s): openvino auto"),
        (
            {"avx512_bf16"},
            "auto takes, with 2 thread(s): openvino auto; "
            "in evaluation, which is float32, openvino f32",
        ),
    ],
)
def test_what_auto_takes(flags, wanted, weight_file, monkeypatch):  # noqa: F811
    from pytracking_et.commands.benchmark import _auto
    from pytracking_et.engines import catalogue, select

    asked = []

    def choose(engine, precision, model, threads, again):
        asked.append((engine, threads, again))
        return SimpleNamespace(name=f"openvino {precision}")

    monkeypatch.setattr(catalogue, "cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(select, "installed", lambda name: True)
    monkeypatch.setattr(select, "choose", choose)
    named = {"network": NETWORK, "checkpoint": str(weight_file)}
    assert _auto(SimpleNamespace(threads=[2], again=True, **named)) == [wanted]
    assert set(asked) == {("auto", 2, True)}


def test_table_and_plot(tmp_path):
    rows = [
        Measurement(Subject("engine", "onnx", "f32"), 0.5, 9, 0.5, 10, 12, 100.0, 200, 1, 2.5, 8),
        Measurement(Subject("peer", "CSRT", threads=2), error="no such tracker"),
    ]
    lines = table(rows).splitlines()
    assert "onnx f32" in lines[1] and "2.50" in lines[1] and "100.0" in lines[1]
    assert "no such tracker" in lines[2]
    assert plot(tmp_path / "p.png", rows, {"f32": 60.0, "CSRT": 50.0}) == ["onnx f32"]
    assert (tmp_path / "p.png").stat().st_size > 5000


def test_accuracy_beside_speed(tmp_path):
    figures = (0.5, 9, 0.5, 10, 12, 100.0, 200, 1, 2.5, 8)
    subjects = [
        Subject("plain", "plain"),
        Subject("engine", "onnx", "f32", parameter="et_tracker"),
        Subject("engine", "onnx", "int8", parameter="et_tracker"),
        Subject("peer", "Nano"),
        Subject("peer", "MIL"),
    ]
    file = tmp_path / "accuracy.json"
    known = {"et_tracker_published": 60, "et_tracker": 70.04, "onnx int8": 69.5, "Nano": 50}
    file.write_text(json.dumps(known))
    accuracy = read_accuracy(file)
    header, *lines = table([Measurement(s, *figures) for s in subjects], accuracy).splitlines()
    assert header.endswith("AUC")
    ends = [line.split()[-1] for line in lines[:4]]
    assert ends == ["60.0", "70.0", "69.5", "50.0"] and len(lines[4]) < len(lines[3])
    file.write_text('{"f32": "high"}')
    with pytest.raises(ResultsError, match="accuracy.json"):
        read_accuracy(file)


@pytest.mark.parametrize(("covered", "shown"), [(0.1, "20.0  40 %"), (0.001, "30.0  60 %")])
def test_the_rate_is_of_the_crops_that_were_searched(covered, shown, weight_file, capsys):  # noqa: F811
    """By default their size changes from frame to frame, and the median time fits none of them."""
    named = {"network": NETWORK, "checkpoint": str(weight_file)}
    args = SimpleNamespace(threads=[1], **named)
    rows = [
        Measurement(Subject("engine", "torch", "f32", parameter=parameter, **named), network=10.0)
        for parameter in ("et_tracker", "et_tracker_published")
    ]
    work = {256: (1000.0, 200.0), 288: (1300.0, 300.0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roofline, "multiply_adds", lambda network, path, side=256: work[side])
        patch.setattr(roofline, "batch_latency", lambda network, path, sizes, threads: {})
        for kind, peak in (("f32", 50.0), ("bf16", None), ("int8", None)):
            patch.setattr(roofline, f"{kind}_peak", lambda threads, peak=peak: peak)
        _roofline(args, rows, covered)
    ours, published = (line for line in capsys.readouterr().out.splitlines() if "torch f32" in line)
    assert "crops of several sizes" in ours and "%" not in ours
    assert shown in published


def test_a_parameter_file_sets_the_loop(weight_file):  # noqa: F811
    named = {"network": NETWORK, "checkpoint": str(weight_file)}
    rows = subjects([1], Model.find(**named), ["torch"], parameters=["", "et_tracker"])
    published, ours = (
        open_subject(row).loops[0].parameters for row in rows if row.kind == "engine"
    )
    assert (published.search_size, ours.search_size, ours.association) == (256, 224, True)
