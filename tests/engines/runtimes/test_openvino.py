"""OpenVINO's form of a graph: other operations, the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

openvino = pytest.importorskip("openvino")
pytest.importorskip("onnx")

from pytracking_et.engines.inference.lowering import LoweredExemplar  # noqa: E402
from pytracking_et.engines.runtimes import openvino as runtime  # noqa: E402
from pytracking_et.errors import EngineError  # noqa: E402
from pytracking_et.network.layers.exemplar import ExemplarLayer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

CHANNELS, SIDE = 32, 8


def test_openvino_tells_nobody_that_it_is_used(tmp_path):
    """Its telemetry writes into the home folder, forks the process and calls Google Analytics."""
    program = (
        "import threading, pytracking_et.engines.runtimes.openvino;"
        "import openvino_telemetry;"  # which others may still import
        "print(threading.active_count())"
    )
    pytest.importorskip("openvino_telemetry")
    quiet = ("CI", "TF_BUILD", "JENKINS_URL")  # where it would be silent in any case
    variables = {name: value for name, value in os.environ.items() if name not in quiet}
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        variables[name] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=variables
    )
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr
    assert not any(tmp_path.iterdir())


class Tracker(torch.nn.Module):
    """A backbone of two convolutions and a gate, then one Exemplar layer."""

    def __init__(self, exemplars):
        super().__init__()
        self.backbone_net = torch.nn.Sequential(
            torch.nn.Conv2d(CHANNELS, CHANNELS, 1),
            torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS),
            torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        )
        self.gate = torch.nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.layer = LoweredExemplar(ExemplarLayer(CHANNELS, 3, exemplars=exemplars).eval())

    def forward(self, x):
        y = self.backbone_net(x)
        return self.layer(y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True))))


@pytest.fixture(params=[1, 4])
def graph(request, tmp_path):
    """Graph file, input (1, C, S, S) and the module's answer."""
    torch.manual_seed(0)
    module, x = Tracker(request.param).eval(), torch.randn(1, CHANNELS, SIDE, SIDE)
    path = tmp_path / "graph.onnx"
    with torch.no_grad():
        torch.onnx.export(module, (x,), str(path), dynamo=False, opset_version=17)
        return path, x.numpy(), module(x).numpy()


def run(model, x):
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return next(iter(compiled([x]).values()))


def banks(model):
    """Products of one row with a constant whose result is given another shape."""
    return [op for op in model.get_ops() if runtime._shaped_mixture(op) is not None]


def test_mixtures_become_sums(graph):
    path, x, wanted = graph
    model = openvino.Core().read_model(path)
    assert len(banks(model)) == 2  # depthwise and pointwise kernels
    assert runtime.mix_by_sums(model) == 2
    assert not banks(model)
    np.testing.assert_allclose(run(model, x), wanted, atol=1e-5)


def test_preferences_are_of_the_backbone_alone(graph):
    path, x, wanted = graph
    core = openvino.Core()
    model = core.read_model(path)
    chosen = [op.get_friendly_name() for op in runtime._convolutions(model)]
    assert len(chosen) == 2 and all("/backbone_net" in name for name in chosen)
    formed = runtime.in_blocks(core, model)
    marked = [op for op in formed.get_ops() if "primitives_priority_0" in op.get_rt_info()]
    assert sorted(op.get_friendly_name() for op in marked) == sorted(chosen)
    np.testing.assert_allclose(run(formed, x), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("features", "blocks"), [({"avx2"}, True), ({"avx2", "avx512"}, False), (set(), False)]
)
def test_blocks_are_for_avx2(graph, features, blocks, monkeypatch):
    path, x, wanted = graph
    numbers = {"avx2": 11, "avx512": 13}
    has = {numbers[name] for name in features}
    monkeypatch.setattr(runtime.cv2, "checkHardwareSupport", lambda number: number in has)
    model = runtime.read_graph(openvino.Core(), path)
    marked = any("primitives_priority_0" in op.get_rt_info() for op in model.get_ops())
    assert marked is blocks
    np.testing.assert_allclose(run(model, x), wanted, atol=1e-5)


def test_no_folder_for_temporary_files_is_told(tmp_path, monkeypatch):
    def compile(*_):
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(runtime, "_compile", compile)
    opened = object.__new__(runtime.OpenVinoRuntime)
    opened.precision, opened.threads, opened.compiled_folder = "f32", None, None
    with pytest.raises(EngineError, match="cannot open .*search.onnx: No usable temporary"):
        opened.compile(tmp_path / "search.onnx")
