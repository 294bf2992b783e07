"""`auto`: takes the fastest that is right, remembers it, falls back with one notice."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytracking_et.engines import cache, create, select
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.int8 import Ranges
from pytracking_et.engines.package import Reference
from pytracking_et.errors import EngineError
from tests.engines.conftest import NETWORK

pytestmark = pytest.mark.usefixtures("fresh_engines")


class Fake:
    """A runtime with a chosen error and speed."""

    def __init__(self, name, reference, error=0.0, seconds=0.0):
        self.name, self.reference, self.error, self.seconds = name, reference, error, seconds

    def template(self, image):
        return image

    def track(self, template, image):
        import time

        time.sleep(self.seconds)
        return self.reference.score + np.float32(self.error), self.reference.distances


@pytest.fixture
def fakes(exported_here, monkeypatch):
    """Three engines: a fast wrong one, a quick right one, a slow right one; counts openings."""
    reference = Reference.read(exported_here / "reference.npz")
    table = {
        "openvino": Fake("openvino f32", reference, error=0.5),
        "onnx": Fake("onnx f32", reference),
        "torch": Fake("torch f32", reference, seconds=0.01),
    }
    opened = []

    def open_runtime(engine, precision, *_):
        opened.append(engine)
        return table[engine]

    monkeypatch.setattr(select, "open_runtime", open_runtime)
    monkeypatch.setattr(select, "installed", lambda name: True)
    monkeypatch.setattr(select, "package_version", lambda name: "1.0")
    monkeypatch.setattr(select.catalogue, "is_busy", lambda: False)
    monkeypatch.setattr(select, "steady", lambda times: True)
    return opened


def pick(weight_file, threads=1):
    select._open.cache_clear()
    return create("auto", NETWORK, weight_file, threads=threads).name


def test_fastest_that_is_right_is_chosen_and_remembered(fakes, weight_file, capsys):
    assert pick(weight_file) == "onnx f32"
    told = capsys.readouterr().err
    assert "openvino f32 is left out: its maps differ" in told and "onnx f32 chosen" in told
    assert sorted(fakes) == ["onnx", "openvino", "torch"]
    fakes.clear()
    assert pick(weight_file) == "onnx f32"
    assert fakes == ["onnx"]
    told = capsys.readouterr().err
    assert "engine onnx f32, chosen earlier" in told and "benchmark --again" in told
    assert pick(weight_file, threads=2) == "onnx f32"
    assert len(fakes) == 4, "another number of threads is another choice"


def test_a_busy_moment_does_not_decide_for_ever(fakes, weight_file, monkeypatch, capsys):
    monkeypatch.setattr(select.catalogue, "is_busy", lambda: True)
    assert pick(weight_file) == "onnx f32"
    assert "a quieter start measures again" in capsys.readouterr().err
    fakes.clear()
    pick(weight_file)
    assert fakes == ["onnx"], "still busy: nothing better to be had"
    assert "on a busy machine" in capsys.readouterr().err
    monkeypatch.setattr(select.catalogue, "is_busy", lambda: False)
    fakes.clear()
    pick(weight_file)
    assert len(fakes) == 3
    fakes.clear()
    pick(weight_file)
    assert fakes == ["onnx"], "made on a quiet machine, it holds"


def test_a_machine_that_is_never_steady(fakes, weight_file, monkeypatch):
    """The least times of a few starts hold."""
    monkeypatch.setattr(select, "steady", lambda times: False)
    slow = iter([{"onnx": 3.0, "torch": 2.0}, {"onnx": 1.0, "torch": 9.0}, {"onnx": 9.0}])
    monkeypatch.setattr(
        select,
        "interleaved_times",
        lambda runtimes, _: {
            pair: [table.get(pair[0], 9.0)] for table in [next(slow)] for pair in runtimes
        },
    )
    assert [pick(weight_file) for _ in range(4)] == [
        "torch f32",
        "onnx f32",
        "onnx f32",
        "onnx f32",
    ]
    (file,) = (cache.engines_folder() / "choices").iterdir()
    assert json.loads(file.read_text())["milliseconds"] == {"onnx f32": 1000.0, "torch f32": 2000.0}


def test_a_choice_is_made_again_on_request(fakes, weight_file):
    pick(weight_file)
    fakes.clear()
    select.choose("auto", "auto", Model.find(NETWORK, weight_file), 1, again=True)
    assert len(fakes) == 3


@pytest.mark.parametrize(("slower", "wanted"), [(1.0, True), (1.2, True), (1.6, False)])
def test_steady(slower, wanted):
    assert select.steady({"a": [1.0] * 9, "b": [2.0] * 4 + [2.0 * slower] * 5}) == wanted


@pytest.mark.parametrize("content", ["", "{", '{"engine": "gone", "precision": "f32"}', "[]"])
def test_a_damaged_choice_is_made_again(fakes, weight_file, content):
    pick(weight_file)
    (file,) = (cache.engines_folder() / "choices").iterdir()
    file.write_text(content)
    fakes.clear()
    assert pick(weight_file) == "onnx f32"
    assert len(fakes) == 3
    assert json.loads(file.read_text())["engine"] == "onnx"


def test_nothing_right_is_an_error(fakes, weight_file, monkeypatch):
    monkeypatch.setattr(select, "agrees", lambda *_: False)
    with pytest.raises(EngineError, match="no engine works here"):
        pick(weight_file)


@pytest.fixture
def no_exporter(monkeypatch):
    def cached_graphs(*_):
        raise EngineError("writing ONNX graphs needs the package onnx")

    monkeypatch.setattr(select, "cached_graphs", cached_graphs)
    monkeypatch.setattr(select, "installed", lambda name: True)
    monkeypatch.setattr(select, "package_version", lambda name: "1.0")


def test_without_exporter_torch_runs(weight_file, no_exporter, capsys):
    assert pick(weight_file) == "torch f32"
    assert capsys.readouterr().err.count("torch is used") == 1


@pytest.mark.parametrize(
    ("engine", "precision"), [("onnx", "auto"), ("openvino", "f32"), ("auto", "int8")]
)
def test_what_was_asked_for_is_not_replaced_by_torch(engine, precision, weight_file, no_exporter):
    if engine != "auto" and precision != "auto":
        pytest.importorskip(engine, reason=f"pip install 'pytracking-et[{engine}]'")
    with pytest.raises(EngineError, match="needs the package onnx"):
        create(engine, NETWORK, weight_file, threads=1, precision=precision)


def test_an_engine_that_breaks_is_left_out(fakes, weight_file, monkeypatch, capsys):
    """A library's own exceptions, for example of a GPU that it has no kernels for."""
    opened = select.open_runtime

    def open_runtime(engine, *rest):
        if engine == "torch":
            raise RuntimeError("no kernel image is available")
        return opened(engine, *rest)

    monkeypatch.setattr(select, "open_runtime", open_runtime)
    assert pick(weight_file) == "onnx f32"
    assert "torch f32 is left out: RuntimeError('no kernel image" in capsys.readouterr().err


def test_a_choice_that_cannot_be_written_is_still_taken(fakes, weight_file, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(select, "atomic_open", refuse)
    assert pick(weight_file) == "onnx f32"
    assert "the choice is not kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "measured", "wanted"),
    [
        (set(), True, {"f32"}),
        ({"avx2"}, True, {"f32"}),
        ({"amx_bf16"}, True, {"f32", "bf16"}),
        ({"avx512_vnni"}, True, {"f32", "int8"}),
        ({"avx512_vnni"}, False, {"f32"}),
        ({"avx_vnni", "avx512_bf16"}, True, {"f32", "bf16", "int8"}),
    ],
)
def test_precisions_only_where_the_cpu_computes_in_them(
    flags, measured, wanted, tmp_path, monkeypatch
):
    monkeypatch.setattr(select, "installed", lambda name: True)
    monkeypatch.setattr(select.catalogue, "cpu_flags", lambda: frozenset(flags))
    model = Model(NETWORK, tmp_path / "net.safetensors", "ab" * 32)
    if measured:
        Ranges("ab" * 32, "", {}).write(tmp_path / "net.int8.json")
    assert {kind for _, kind in select.candidates("auto", "auto", model)} == wanted
    assert {kind for _, kind in select.candidates("auto", "f32", model)} == {"f32"}
    assert select.candidates("onnx", "int8", model) == [("onnx", "int8")]


def test_int8_needs_what_makes_its_graphs(tmp_path, monkeypatch):
    """OpenVINO alone must start without complaints about onnxruntime."""
    monkeypatch.setattr(select, "installed", lambda name: name != "onnx")
    monkeypatch.setattr(select.catalogue, "cpu_flags", lambda: frozenset({"avx512_vnni"}))
    Ranges("ab" * 32, "", {}).write(tmp_path / "net.int8.json")
    model = Model(NETWORK, tmp_path / "net.safetensors", "ab" * 32)
    tried = select.candidates("auto", "auto", model)
    assert tried == [("openvino", "f32"), ("torch", "f32")]


@pytest.mark.parametrize(
    ("precision", "error", "right"),
    [("f32", 5e-4, True), ("f32", 0.02, False), ("bf16", 0.02, True), ("bf16", 0.1, False)]
    + [("int8", 0.1, True), ("int8", 0.3, False), ("int8", np.nan, False)],
)
def test_every_precision_has_its_bar(precision, error, right, exported_here):
    reference = Reference.read(exported_here / "reference.npz")
    runtime = Fake("fake", reference, error)
    if right:
        select.check_agreement(runtime, precision, reference)
        return
    with pytest.raises(EngineError, match="its maps differ"):
        select.check_agreement(runtime, precision, reference)
