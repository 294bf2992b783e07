"""OpenVINO on the CPU; reads its own format and ONNX.

Graphs are brought into the form in which it runs them fastest; the results stay the same.

* A mixture of kernels, attention (1, E) times a bank (E, N), is a sum of E scaled constants: as a
  matrix product with one row it is packed like a large one, which takes longer than multiplying.
* On AVX2 OpenVINO runs convolutions channels last. Large depthwise kernels on large maps are much
  quicker in blocks of eight channels, and so the backbone's convolutions are told to be. Processors
  with AVX-512 have other kernels and are left alone.
"""

from __future__ import annotations

import hashlib
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError, pip_line
from ...machine import cpu_name
from ..cache import notice, read_sealed, write_sealed
from ..package import Reference, agrees, reference_name
from . import Compiled, GraphRuntime, return_freed_memory, without_telemetry

try:
    with without_telemetry():
        import openvino
        from openvino import opset13
except ImportError as error:
    raise EngineError(
        f"the engine 'openvino' needs the package openvino ({error}); {pip_line('openvino')}"
    ) from error

VERSION = str(openvino.__version__)
# What OpenVINO may round matrix products to, by precision name. int8 graphs carry their own
# quantisation; the rest of them stays float32.
HINTS = {"bf16": "bf16"}
# oneDNN's kernels for blocks of eight channels, by operation.
BLOCKED = {"GroupConvolution": "cpu:jit_avx2_dw", "Convolution": "cpu:jit_avx2_1x1"}
# Numbers of OpenCV's `cv::CpuFeatures`: it knows the processor on every system.
_AVX2, _AVX512 = 11, 13


@lru_cache(maxsize=1)
def _core() -> openvino.Core:
    return openvino.Core()


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16; elsewhere OpenVINO would only pretend to."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compile(path: Path, settings: dict[str, Any]) -> openvino.CompiledModel:
    return _core().compile_model(read_graph(_core(), path), "CPU", settings)


class OpenVinoRuntime(GraphRuntime):
    """Graphs as compiled OpenVINO models."""

    engine = "openvino"

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.precision == "bf16" and not has_bf16():
            raise EngineError(
                f"this CPU ({cpu_name()}) does not compute in bfloat16, and OpenVINO would quietly "
                "use float32; take precision 'f32' or 'auto'"
            )
        self._mapped: list[openvino.Tensor] = []

    def compile(self, path: Path) -> Compiled:
        """Compile a graph; raises EngineError where the file is none."""
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": HINTS.get(self.precision, "f32"),
            # Pinned, the workers of an evaluation would all sit on the first core.
            "ENABLE_CPU_PINNING": False,
        }
        if self.threads is not None:
            settings["INFERENCE_NUM_THREADS"] = self.threads
        try:
            if self.compiled_folder is None:
                model = _compile(path, settings)
            else:
                model = self._kept(self.compiled_folder, path, settings)
        except (RuntimeError, OSError) as error:  # OSError: no folder for temporary files
            raise EngineError(f"openvino {VERSION} cannot open {path}: {error}") from error
        return_freed_memory()
        return _runner(model)

    def _kept(self, folder: Path, path: Path, settings: dict[str, Any]) -> openvino.CompiledModel:
        """The compiled graph of an earlier start, or compiled now and kept.

        Quarters the time to start: neither parsing nor rewriting the graph is needed.
        """
        key = hashlib.sha256(repr([VERSION, cpu_name(), sorted(settings.items())]).encode())
        kept = folder / f"{path.stem}-{key.hexdigest()[:12]}.blob"
        model = self._imported(kept, settings)
        if model is not None:
            return model
        content = _compile(path, settings).export_model().getvalue()
        tensor = openvino.Tensor(np.frombuffer(bytearray(content), np.uint8), shared_memory=True)
        model = _core().import_model(tensor, "CPU", settings)
        self._check(path, model)
        try:
            write_sealed(kept, content)
        except OSError as error:
            notice(f"compiled graph is not kept for the next start: {error}")
        # From the file, whose pages processes share.
        shared = self._imported(kept, settings)
        if shared is None:
            self._mapped.append(tensor)
        return shared or model

    def _check(self, path: Path, model: openvino.CompiledModel) -> None:
        """Compare a graph, in the form that is kept, with what the plain network answered.

        Raises:
            EngineError: it answers otherwise.
        """
        kind, _, side = path.stem.partition("_")
        key = (kind, int(side))
        name = reference_name(self.metadata, *key)
        reference = Reference.read(self.folder / name)
        # The reference needs a graph of the other kind as well, whose check may need this one.
        self._compiled[key] = _runner(model)
        try:
            difference = reference.difference(self)
        finally:
            del self._compiled[key]
        if not agrees(difference, self.precision, name):
            raise EngineError(
                f"openvino {VERSION} computes {path.stem} wrong here: it differs from the network "
                f"by {difference['score']:.2g} (score) and {difference['distances']:.2g} px; "
                "take --engine onnx or torch"
            )

    def _imported(self, kept: Path, settings: dict[str, Any]) -> openvino.CompiledModel | None:
        content = read_sealed(kept)
        if content is None:
            return None
        try:
            tensor = openvino.Tensor(content, shared_memory=True)
            # OpenVINO reads constants from the mapping for as long as the graph lives.
            self._mapped.append(tensor)
            return _core().import_model(tensor, "CPU", settings)
        except RuntimeError as error:
            notice(f"compiled graph {kept} is made again: {error}")
            return None


def _runner(model: openvino.CompiledModel) -> Compiled:
    request = model.create_infer_request()

    def run(arrays: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        outputs = request.infer(list(arrays), share_inputs=True)
        return [np.array(value) for value in outputs.values()]

    return run


# Runtime over a folder of graphs; arguments of `GraphRuntime`.
open_folder = OpenVinoRuntime


def read_graph(core: openvino.Core, path: Path) -> openvino.Model:
    """Read a graph file and rewrite it."""
    model = core.read_model(str(path))
    mix_by_sums(model)
    if cv2.checkHardwareSupport(_AVX2) and not cv2.checkHardwareSupport(_AVX512):
        return in_blocks(core, model)
    return model


def mix_by_sums(model: openvino.Model) -> int:
    """Replace products of one row with a constant bank by sums, in place; returns how many."""
    count = 0
    for product in model.get_ordered_ops():
        shaped = _shaped_mixture(product)
        if shaped is None:
            continue
        shape = list(shaped.get_output_shape(0))
        bank = product.input_value(1).get_node().get_data()
        parts = opset13.split(product.input_value(0), 1, len(bank))
        total = None
        for part, kernels in zip(parts.outputs(), bank, strict=True):
            weight = opset13.reshape(part, [1] * len(shape), False)
            scaled = opset13.multiply(weight, opset13.constant(kernels.reshape(shape)))
            total = scaled if total is None else opset13.add(total, scaled)
        assert total is not None
        for target in shaped.output(0).get_target_inputs():
            target.replace_source_output(total.output(0))
        count += 1
    model.validate_nodes_and_infer_types()
    return count


def _shaped_mixture(product: openvino.Node) -> openvino.Node | None:
    """The reshape that alone reads `product`, where that is a mixture of kernels."""
    if product.get_type_name() != "MatMul":
        return None
    row, bank = product.input_value(0), product.input_value(1)
    if bank.get_node().get_type_name() != "Constant" or list(row.get_shape())[:-1] != [1]:
        return None
    attributes = product.get_attributes()
    readers = product.output(0).get_target_inputs()
    if attributes["transpose_a"] or attributes["transpose_b"] or len(readers) != 1:
        return None
    reader = next(iter(readers)).get_node()
    # Other products of one row (query, gates) are read by an addition.
    return reader if reader.get_type_name() == "Reshape" else None


def in_blocks(core: openvino.Core, model: openvino.Model) -> openvino.Model:
    """The model with a preference on the backbone's depthwise and pointwise convolutions."""
    names = {op.get_friendly_name(): BLOCKED[op.get_type_name()] for op in _convolutions(model)}
    if not names:
        return model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        openvino.save_model(model, str(path), compress_to_fp16=False)
        tree = ElementTree.parse(path)
        for layer in tree.iter("layer"):
            data = layer.find("data")
            if layer.get("name") in names and data is not None:
                # Python cannot set this attribute of a node; the file format can.
                data.set("PrimitivesPriority", names[str(layer.get("name"))])
        text = ElementTree.tostring(tree.getroot())
        return core.read_model(text, path.with_suffix(".bin").read_bytes())


def _convolutions(model: openvino.Model) -> list[openvino.Node]:
    found = []
    for op in model.get_ops():
        if op.get_type_name() not in BLOCKED or "backbone" not in op.get_friendly_name():
            continue
        kernel, cells = list(op.get_input_shape(1)), list(op.get_output_shape(0))[2:]
        depthwise = op.get_type_name() == "GroupConvolution" and kernel[1:3] == [1, 1]
        pointwise = op.get_type_name() == "Convolution" and kernel[2:] == [1, 1]
        # A gate (squeeze-excite) sees one cell; there is nothing to gain.
        if (depthwise or pointwise) and cells != [1, 1]:
            found.append(op)
    return found
