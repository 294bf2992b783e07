"""int8 graphs: what is rounded, made from measured ranges, then an engine like the others."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pytracking_et.engines import create
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.export import export
from pytracking_et.engines.int8 import Ranges, find_ranges, keep_ranges
from pytracking_et.engines.package import REFERENCE, Metadata, Reference
from pytracking_et.errors import EngineError
from pytracking_et.network import weights
from tests.engines.conftest import NETWORK, maps

pytest.importorskip("onnxruntime.quantization")
pytestmark = pytest.mark.usefixtures("fresh_engines")


@pytest.fixture
def frames(tmp_path, monkeypatch):
    """Folder of a short annotated track, of which four pairs are taken."""
    from pytracking_et.engines.int8 import quantise

    monkeypatch.setattr(quantise, "PAIRS", 4)
    folder = tmp_path / "frames" / "t"
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    for frame in range(4):
        picture = cv2.resize(random.randint(0, 256, (12, 16, 3)).astype(np.uint8), (160, 120))
        cv2.imwrite(str(folder / f"{frame:05d}.jpg"), picture)
    rows = [f"t,{frame},40,30,40,40" for frame in range(4)]
    (folder.parent / "annotations.csv").write_text("track,frame,x,y,w,h\n" + "\n".join(rows))
    return folder.parent


@pytest.fixture
def graph_file(tmp_path):
    """A graph with a node of every kind that the choice tells apart."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.RandomState(0)
    nodes, constants = [], []

    def node(kind, inputs, output, weight=None, **attributes):
        if weight is not None:
            value = random.standard_normal(weight).astype(np.float32)
            constants.append(numpy_helper.from_array(value, f"{output}_w"))
            inputs = [*inputs, f"{output}_w"]
        nodes.append(helper.make_node(kind, inputs, [output], name=f"/{output}", **attributes))

    node("Conv", ["image"], "expand", (16, 8, 1, 1))
    node("Sigmoid", ["expand"], "gate")
    node("Mul", ["expand", "gate"], "swish")
    node("Conv", ["swish"], "depthwise", (16, 1, 3, 3), group=16, pads=[1, 1, 1, 1])
    node("Conv", ["depthwise"], "project", (8, 16, 1, 1))
    node("Add", ["project", "image"], "sum")
    node("ReduceMean", ["sum"], "pooled", axes=[2, 3], keepdims=1)
    node("Conv", ["pooled"], "squeeze", (8, 8, 1, 1))
    node("Mul", ["sum", "squeeze"], "scaled")
    constants.append(numpy_helper.from_array(np.array([36, 8]), "tokens_shape"))
    node("Reshape", ["scaled", "tokens_shape"], "tokens")
    node("MatMul", ["tokens"], "feed_forward", (8, 4))
    node("MatMul", ["pooled_row"], "mixture", (8, 4))
    node("Add", ["feed_forward", "mixture"], "answer")
    shapes = [("image", (1, 8, 6, 6)), ("pooled_row", (1, 8))]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]
    output = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, (36, 4))]
    graph = helper.make_graph(nodes, "g", inputs, output, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "graph.onnx"))
    return tmp_path / "graph.onnx"


def test_only_products_of_maps_are_rounded(graph_file):
    from pytracking_et.engines.int8.quantise import Plan

    plan = Plan(graph_file)
    assert plan.nodes == ["/expand", "/project", "/feed_forward"]
    assert plan.tensors == ["image", "depthwise", "tokens"]


def test_ranges_of_another_graph(exported_here, weight_file, tmp_path):
    from pytracking_et.engines.int8.quantise import write_int8

    other = Ranges(weights.fingerprint(weight_file), "", {"/renamed": (0.0, 1.0)})
    with pytest.raises(EngineError, match=r"lack \d+ of \d+ tensors.*Measure again"):
        write_int8(exported_here, tmp_path, other, lambda text: None)


def test_measured_graphs_stay_close(
    tmp_path, weight_file, exported_here, frames, template, searches, capfd
):
    """From frames to an engine by name; the second time the ranges are there."""
    import onnx

    from pytracking_et.engines.int8.quantise import Plan

    output = tmp_path / "graphs"
    metadata, difference = export("onnx", output, NETWORK, weight_file, "int8", frames)
    assert metadata.precision == "int8" and 0 < difference["score"] < 0.12
    told = capfd.readouterr()
    assert "int8 ranges kept in" in told.err
    assert "histogram" not in told.out and "WARNING" not in told.err
    path = output / "search_256.onnx"
    rounded = {n.input[0] for n in onnx.load(str(path)).graph.node if n.op_type == "QuantizeLinear"}
    assert rounded == set(Plan(exported_here / path.name).tensors)
    engine = create("onnx", NETWORK, weight_file, threads=1, precision="int8")
    assert engine.name == "onnx int8"
    assert "measuring" not in capfd.readouterr().err
    plain = create("onnx", NETWORK, weight_file, threads=1, precision="f32")
    a, b = maps(engine, template, searches[0]), maps(plain, template, searches[0])
    assert 0 < np.abs(a[0] - b[0]).max() < 0.12


def test_ranges_that_do_not_fit_are_not_kept(
    tmp_path, weight_file, exported_here, frames, monkeypatch
):
    """Far too narrow: nothing is delivered, and nothing of it is used later."""
    from pytracking_et.engines.int8 import quantise

    measured = quantise.measure(exported_here, frames)
    narrow = {name: (low / 200, high / 200) for name, (low, high) in measured.values.items()}
    given = Ranges(measured.weights_sha256, "", narrow)
    monkeypatch.setattr(quantise, "measure", lambda *_: given)
    with pytest.raises(EngineError, match="differ from the network"):
        export("onnx", tmp_path / "graphs", NETWORK, weight_file, "int8", frames)
    assert not (tmp_path / "graphs").exists()
    assert find_ranges(Model.find(NETWORK, weight_file)) is None


def test_other_ranges_are_other_graphs(tmp_path, weight_file, exported_here, frames):
    """Ranges measured anew are not answered with graphs of the old ones."""
    from pytracking_et.engines.export import cached_graphs
    from pytracking_et.engines.int8.quantise import measure

    model = Model.find(NETWORK, weight_file)
    measured = measure(exported_here, frames)
    folders = []
    for factor in (1.0, 1.25):
        values = {
            name: (low * factor, high * factor) for name, (low, high) in measured.values.items()
        }
        keep_ranges(Ranges(model.digest, "", values), model)
        folders.append(cached_graphs(model, "int8")[0])
    assert folders[0] != folders[1]
    assert Metadata.read(folders[1]).precision == "int8"
    assert Reference.read(folders[1] / REFERENCE).score.ndim == 2


@pytest.mark.slow
def test_the_shipped_ranges_fit_the_shipped_weights():
    from pytracking_et.engines.export import cached_graphs
    from pytracking_et.engines.package import agrees, reference_names
    from pytracking_et.engines.runtimes.onnx import OnnxRuntime

    folder, metadata = cached_graphs(Model.find(), "int8")
    runtime = OnnxRuntime(folder, metadata)
    for name in reference_names(metadata):
        difference = Reference.read(folder / name).difference(runtime)
        assert agrees(difference, "int8", name), (name, difference)
