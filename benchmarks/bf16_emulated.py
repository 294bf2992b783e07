"""bfloat16 on a CPU that does not compute in it: what it does to the boxes, not how fast it is.

Every tensor of the ONNX graphs, weights and activations alike, is rounded to bfloat16 (nearest,
ties to even), and sums are float32: what bfloat16 instructions do. A runtime that keeps some layers
in float32 is closer to float32 than this. Used by `engines_accuracy.py --subjects emulated:bf16`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pytracking_et.engines.base import TargetEngine
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.export import cached_graphs
from pytracking_et.engines.package import Metadata
from pytracking_et.engines.runtimes.onnx import OnnxRuntime


def engine(network: str, checkpoint: str | Path | None, threads: int) -> TargetEngine:
    """An engine on rounded copies of the network's graphs."""
    source, metadata = cached_graphs(Model.find(network, checkpoint), "f32")
    folder = Path(tempfile.mkdtemp(prefix="bf16-"))
    for file in source.glob("*.onnx"):
        round_graph(file, folder / file.name)
    runtime = OnnxRuntime(folder, Metadata.read(source), threads)
    for side in metadata.templates:
        runtime.graph("template", side)
    for side in metadata.searches:
        runtime.graph("search", side)
    shutil.rmtree(folder)
    runtime.name = "emulated bf16"
    return TargetEngine(runtime)


def round_graph(source: Path, target: Path) -> None:
    """Write a graph with all its float32 tensors but the outputs rounded."""
    model = onnx.load(str(source))
    graph = model.graph
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    floats = {v.name for v in known if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    for constant in graph.initializer:
        if constant.data_type == TensorProto.FLOAT:
            value = rounded(numpy_helper.to_array(constant))
            constant.CopyFrom(numpy_helper.from_array(value, constant.name))
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for index, name in enumerate(node.output):
            if name not in floats:
                continue
            whole, short = f"{name}_whole", f"{name}_bf16"
            node.output[index] = whole
            nodes.append(helper.make_node("Cast", [whole], [short], to=TensorProto.BFLOAT16))
            nodes.append(helper.make_node("Cast", [short], [name], to=TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, str(target))


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 values on the bfloat16 grid."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    # Half of the last kept bit, less one where that bit is even: ties go to even.
    bits = bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).reshape(values.shape)
