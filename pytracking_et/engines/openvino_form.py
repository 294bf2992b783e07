"""Graphs in the form in which OpenVINO runs them fastest; the results stay the same.

* A mixture of kernels, attention (1, E) times a bank (E, N), is a sum of E scaled constants: as a
  matrix product with one row it is packed like a large one, which takes longer than multiplying.
* On AVX2 OpenVINO runs convolutions channels last. Large depthwise kernels on large maps are much
  quicker in blocks of eight channels, and so the backbone's convolutions are told to be. Processors
  with AVX-512 have other kernels and are left alone.
"""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import openvino
from openvino import opset13 as operators

# oneDNN's kernels for blocks of eight channels, by operation.
BLOCKED = {"GroupConvolution": "cpu:jit_avx2_dw", "Convolution": "cpu:jit_avx2_1x1"}
# Numbers of OpenCV's `cv::CpuFeatures`: it knows the processor on every system.
_AVX2, _AVX512 = 11, 13


def read(core: openvino.Core, path: Path) -> openvino.Model:
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
        parts = operators.split(product.input_value(0), 1, len(bank))
        total = None
        for part, kernels in zip(parts.outputs(), bank, strict=True):
            weight = operators.reshape(part, [1] * len(shape), False)
            scaled = operators.multiply(weight, operators.constant(kernels.reshape(shape)))
            total = scaled if total is None else operators.add(total, scaled)
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
