"""How fast the cores multiply at best, and how many multiplications a frame is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..engines import catalogue
from ..engines.inference import load_graphs, load_network
from ..engines.package import sample_crop

# Matrix sizes of the peak measurement: large enough to hide overhead, inside the caches.
SIDE, RUNS = 1024, 15


def f32_peak(threads: int) -> float:
    """Multiply-adds per second, in 10^9, of a float32 matrix product."""
    torch.set_num_threads(threads)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    return SIDE**3 / _median(lambda: a @ b) / 1e9


def bf16_peak(threads: int) -> float | None:
    """The same of bfloat16; None where the CPU does not compute in it."""
    if not catalogue.computes_in("bf16"):
        return None
    torch.set_num_threads(threads)
    a, b = (torch.randn(SIDE, SIDE).bfloat16() for _ in range(2))
    return SIDE**3 / _median(lambda: a @ b) / 1e9


def int8_peak(threads: int) -> float | None:
    """The same of uint8 times int8 in ONNX Runtime; None where it or onnx is not installed."""
    try:
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    random = np.random.RandomState(0)
    weights = random.randint(-64, 64, (SIDE, SIDE)).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "peak",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [SIDE, SIDE])],
        [numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"a": random.randint(0, 128, (SIDE, SIDE)).astype(np.uint8)}
    return SIDE**3 / _median(lambda: session.run(None, feed)) / 1e9


def _median(call: Callable[[], Any], runs: int = RUNS) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def multiply_adds(network: str, checkpoint: Path, side: int = 256) -> tuple[float, float]:
    """Multiply-adds, in 10^6, of one search with crops of `side` pixels.

    Returns:
        Of the network as published, and of the graph that the engines run.
    """
    plain, template, search = load_graphs(network, checkpoint)
    z, x = (torch.from_numpy(sample_crop(size, 0))[None] for size in (128, side))
    with torch.no_grad():
        raw = plain.template(z.permute(0, 3, 1, 2).float())
        published = count(lambda: plain.track(raw, x.permute(0, 3, 1, 2).float()))
        feature = template(z)
        return published / 1e6, count(lambda: search(feature, x)) / 1e6


def count(call: Callable[[], Any]) -> int:
    """Multiply-adds of `call()`: convolutions and matrix products.

    PyTorch's counter does not see the fused attention of a CPU, hence the plain one here. Call it
    under `no_grad`: before torch 2.6 it misses most products under `inference_mode`.
    """
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        call()
    # The counter reports two operations per multiply-add.
    return counter.get_total_flops() // 2


def batch_latency(
    network: str, checkpoint: Path, sizes: list[int], threads: int
) -> dict[int, float]:
    """Milliseconds of a batch of search crops through the torch network, by batch size."""
    torch.set_num_threads(threads)
    module = load_network(network, checkpoint)
    result = {}
    with torch.inference_mode():
        for size in sizes:
            feature = module.template(torch.zeros(size, 3, 128, 128))
            images = torch.zeros(size, 3, 256, 256)
            result[size] = _median(partial(module.track, feature, images), 7) * 1000
    return result
