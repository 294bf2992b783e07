"""Precision "int8": ONNX Runtime's static quantisation of the search graphs, QDQ form.

Quantised are the products of a map with constant weights: pointwise convolutions and feed-forwards,
half of the arithmetic. They take eight bits and give float32. The rest stays float32, each for a
reason measured alone (docs/engines.md):

* Products of one row (mixtures of kernels, queries, gates) cost nothing, and seven bits of a kernel
  bank moved boxes more than all maps together.
* Outputs: what enters a swish has a wide range, of which the swish keeps a part. OpenVINO computes
  in integers without them; ONNX Runtime then does so in the feed-forwards only.
* Depthwise convolutions and mixed kernels (no fixed range), the first convolution, the prediction
  layers, and the template graph, which runs once.

Weights are symmetric per output channel with seven bits, because AVX2 adds pairs of u8 x s8
products in 16 bits and saturates with eight; eight were no more exact here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import EngineError, pip_line
from ...files import sha256
from ..package import (
    REFERENCE,
    Metadata,
    Reference,
    agrees,
    graph_name,
    reference_names,
    sample_crop,
)
from ..runtimes.onnx import OnnxRuntime
from . import Ranges, pairs

# Pairs that ranges are taken from; more did not move them by more than a few per cent.
PAIRS = 48
# Share of values, in per cent, that a range holds: the few beyond it would make all steps coarser.
PERCENTILE = 99.999
# Pairs at a time, because the calibrator holds all activations of what it is given.
_AT_ONCE = 4

Feed = dict[str, Any]


def require_quantiser() -> None:
    """Check for the packages that quantise.

    Raises:
        EngineError: one is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime.quantization  # noqa: F401
    except ImportError as error:
        raise EngineError(
            f"int8 graphs are made with onnx and onnxruntime ({error}); {pip_line('onnx')}"
        ) from error


def measure(folder: Path, calibration: Path) -> Ranges:
    """Ranges of an export's activations on annotated frames.

    Args:
        folder: of float32 ONNX graphs.
        calibration: folder of annotated tracks (see the package).

    Raises:
        EngineError: onnx or onnxruntime is not installed.
        DatasetError: no tracks in the folder.
    """
    require_quantiser()
    from onnxruntime.quantization import CalibrationMethod, create_calibrator

    metadata = Metadata.read(folder)
    path = folder / graph_name("search", metadata.searches[0])
    runtime = OnnxRuntime(folder, metadata)
    crops = pairs(calibration, PAIRS, search_size=metadata.searches[0])
    feeds = [
        {"template": runtime.template(z), "image": x[None]} for z, x in zip(*crops, strict=True)
    ]
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        calibrator = create_calibrator(
            path,
            ["Conv", "MatMul"],
            augmented_model_path=str(Path(scratch) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"percentile": PERCENTILE, "num_bins": 2048},
        )
        for start in range(0, len(feeds), _AT_ONCE):
            calibrator.collect_data(_reader(feeds[start : start + _AT_ONCE]))
        found = calibrator.compute_data()
    values = {}
    for name in Plan(path).tensors:
        # Six digits are more than 256 steps need, and readable.
        low, high = (float(f"{np.ravel(value)[0]:.6g}") for value in found[name].range_value)
        values[name] = (low, high)
    source = f"{PAIRS} pairs of {calibration.name}, {PERCENTILE} % of the values"
    return Ranges(metadata.weights_sha256, source, values)


def write_int8(
    source: Path, target: Path, ranges: Ranges, progress: Callable[[str], None]
) -> Metadata:
    """Quantise an export.

    Args:
        source: folder of float32 graphs.
        target: folder to write, existing.
        ranges: of the activations.
        progress: told what is being done.

    Raises:
        EngineError: onnx or onnxruntime is not installed, the ranges are of another graph, or
            the result differs from the network by more than int8 may.
    """
    require_quantiser()
    metadata = Metadata.read(source)
    names = [graph_name("template", side) for side in metadata.templates]
    names += reference_names(metadata)
    for name in names:
        shutil.copyfile(source / name, target / name)
    template = OnnxRuntime(source, metadata).template(sample_crop(metadata.templates[0], 0))
    for side in metadata.searches:
        progress(f"quantising the search graph, {side} px")
        name = graph_name("search", side)
        feed = {"template": template, "image": sample_crop(side, 0)[None]}
        _quantise(source / name, target / name, ranges, feed)
        names.append(name)
    files = {name: sha256(target / name) for name in names}
    made = dataclasses.replace(metadata, precision="int8", files=files)
    difference = Reference.read(target / REFERENCE).difference(OnnxRuntime(target, made))
    if not agrees(difference, "int8"):
        raise EngineError(
            f"the int8 graphs differ from the network by {difference['score']:.2g} (score) and "
            f"{difference['distances']:.2g} px: measure ranges on other frames, more of them and "
            "as varied as what you track"
        )
    made.write(target)
    return made


class Plan:
    """What of a graph file is quantised.

    Attributes:
        nodes: names of the products.
        tensors: what they take, which is rounded.
    """

    def __init__(self, path: Path) -> None:
        import onnx

        model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
        weights = {value.name: tuple(value.dims) for value in model.graph.initializer}
        shapes = {
            value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
            for value in (*model.graph.value_info, *model.graph.output)
        }
        chosen = []
        for node in model.graph.node:
            weight = weights.get(node.input[1]) if len(node.input) > 1 else None
            if weight is not None and _is_product_of_map(
                node.op_type, weight, shapes.get(node.output[0], [])
            ):
                chosen.append(node)
        self.nodes: list[str] = [node.name for node in chosen]
        # Once each: a tensor may be what several products take.
        self.tensors: list[str] = list(dict.fromkeys(node.input[0] for node in chosen))


def _is_product_of_map(operator: str, weight: tuple[int, ...], output: list[int]) -> bool:
    """Whether a node multiplies more than one cell or token with constant weights, pointwise."""
    if operator == "Conv":
        return weight[2:] == (1, 1) and int(np.prod(output[2:])) > 1
    return operator == "MatMul" and int(np.prod(output[:-1])) > 1


def _quantise(source: Path, target: Path, ranges: Ranges, feed: Feed) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    plan = Plan(source)
    missing = [name for name in plan.tensors if name not in ranges.values]
    if missing:
        raise EngineError(
            f"the int8 ranges lack {len(missing)} of {len(plan.tensors)} tensors of the graph "
            f"({missing[0]}); another version of torch wrote it. Measure again: "
            "ettrack export --precision int8 --calibration FOLDER --output FOLDER"
        )
    overrides = {
        name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
        for name, (low, high) in ranges.values.items()
    }
    with _quiet():
        quantize_static(
            str(source),
            str(target),
            # Ranges are given; the library wants to see one answer nevertheless.
            _reader([feed]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=plan.nodes,
            extra_options={
                "TensorQuantOverrides": overrides,
                "OpTypesToExcludeOutputQuantization": ["Conv", "MatMul"],
            },
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's prints and its advice to optimise the graph, which ours already is."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _reader(feeds: list[Feed]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds: Iterator[Feed] = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self.feeds, None)

    return Reader()
