"""Precision "int8": ONNX Runtime's static quantisation of the search graphs, QDQ form.

Quantised are the feed-forward products and the pointwise convolutions, which are nearly all of the
arithmetic. The rest stays float32: depthwise convolutions and mixed kernels (little work, and mixed
kernels have no fixed range), the first convolution, the prediction layers, and the template graph,
which runs once. Weights are symmetric per output channel with seven bits, because AVX2 adds pairs
of u8 x s8 products in 16 bits and saturates with eight.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EngineError
from ..files import sha256
from .calibration import Pairs, pairs
from .exported import REFERENCE, Metadata, graph_name
from .onnx_engine import OnnxRuntime

# Pairs that ranges are taken from; more did not move the ranges by more than a few per cent.
PAIRS = 48
# Smallest weight that is worth quantising.
LEAST_WEIGHT = 4096


def write_int8(
    source: Path, target: Path, calibration: Path, progress: Callable[[str], None]
) -> Metadata:
    """Quantise an export.

    Args:
        source: folder of float32 graphs.
        target: folder to write, existing.
        calibration: folder of annotated tracks.
        progress: told what is being done.

    Raises:
        EngineError: onnx is not installed.
        DatasetError: no tracks in the folder.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise EngineError("quantising needs onnx; install 'pytracking-et[onnx]'") from error
    metadata = Metadata.read(source)
    names = [graph_name("template", side) for side in metadata.templates]
    for name in (*names, REFERENCE):
        shutil.copyfile(source / name, target / name)
    names.append(REFERENCE)
    runtime = OnnxRuntime(source, metadata)
    for side in metadata.searches:
        progress(f"quantising the search graph, {side} px")
        crops = pairs(calibration, PAIRS, search_size=side)
        name = graph_name("search", side)
        _quantise(source / name, target / name, crops, runtime)
        names.append(name)
    files = {name: sha256(target / name) for name in names}
    made = dataclasses.replace(metadata, precision="int8", files=files)
    made.write(target)
    return made


def _quantise(source: Path, target: Path, crops: Pairs, runtime: OnnxRuntime) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds: Iterator[dict[str, Any]] = iter(
                {"template": runtime.template(z), "image": x[None]}
                for z, x in zip(crops.templates, crops.searches, strict=True)
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self.feeds, None)

    quantize_static(
        str(source),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=quantised_nodes(source),
    )


def quantised_nodes(path: Path) -> list[str]:
    """Names of the nodes of a graph file that int8 is for."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    weights = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    outputs = {value.name for value in graph.output}
    # Prediction layers: the last convolution before each output, through at most three nodes.
    near = set(outputs)
    for _ in range(3):
        near |= {i for node in graph.node if near & set(node.output) for i in node.input}
    chosen = []
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or len(node.input) < 2:
            continue
        weight = weights.get(node.input[1])
        if weight is None or weight.size < LEAST_WEIGHT or near & set(node.output):
            continue
        if node.op_type == "Conv" and np.prod(weight.shape[2:]) != 1:
            continue
        chosen.append(node.name)
    return chosen
