"""`auto`: takes the fastest that is right, remembers it, falls back with one notice."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytracking_et.engines import auto, cache, create, prepare, select
from pytracking_et.errors import EngineError
from pytracking_et.network import weights
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
    from pytracking_et.engines.exported import Reference

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

    monkeypatch.setattr(auto, "open_runtime", open_runtime)
    monkeypatch.setattr(auto, "installed", lambda name: True)
    monkeypatch.setattr(auto.importlib.metadata, "version", lambda name: "1.0")
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
    assert pick(weight_file, threads=2) == "onnx f32"
    assert len(fakes) == 4, "another number of threads is another choice"


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
    monkeypatch.setattr(auto, "agrees", lambda difference: False)
    with pytest.raises(EngineError, match="no engine works here"):
        pick(weight_file)


def test_without_exporter_torch_runs(weight_file, monkeypatch, capsys):
    def exported(*_):
        raise EngineError("writing ONNX graphs needs the package onnx")

    monkeypatch.setattr(auto, "exported", exported)
    monkeypatch.setattr(auto, "installed", lambda name: True)
    monkeypatch.setattr(auto.importlib.metadata, "version", lambda name: "1.0")
    assert pick(weight_file) == "torch f32"
    assert capsys.readouterr().err.count("torch is used") == 1


@pytest.mark.parametrize(
    ("loss", "wanted"), [(None, False), (0.1, True), (-0.2, True), (0.31, False)]
)
def test_compact_counts_only_with_its_accuracy(loss, wanted, monkeypatch, tmp_path):
    monkeypatch.setattr(auto, "measured_loss", lambda path, digest: loss)
    kinds = {kind for _, kind in auto.candidates("auto", "auto", tmp_path, "")}
    assert ("compact" in kinds) is wanted
    assert "int8" not in kinds
    assert prepare.ACCURACY_BAR == 0.3


def test_fits_of_other_weights_do_not_count(weight_file, tmp_path):
    import torch

    digest = weights.fingerprint(weight_file)
    beside, cached = prepare.fits_places(weight_file, digest)
    assert beside.parent == weight_file.parent
    texts = {"weights_sha256": "f" * 64, "accuracy": '{"auc_loss": 0.0}'}
    weights.save(cached, {"a.matrix": torch.zeros(1)}, texts)
    assert prepare.find_fits(weight_file, digest) is None
    weights.save(cached, {"a.matrix": torch.zeros(1)}, {**texts, "weights_sha256": digest})
    assert prepare.measured_loss(weight_file, digest) == 0.0
