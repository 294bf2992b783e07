"""One Exemplar layer in several forms: how the per-image kernels are best computed.

    python benchmarks/engines_layers.py [--threads 1]

dynamic: mix the E kernels, then one convolution with the mixture; static: one convolution with all
E kernels, then mix the maps; shift: mix, then multiply shifted maps. Times are medians over
interleaved runs in ONNX Runtime and OpenVINO.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from pytracking_et.engines.inference.lowering import LoweredExemplar
from pytracking_et.network.layers.exemplar import ExemplarLayer


class Depthwise(torch.nn.Module):
    """The depthwise half of a lowered layer, in one of the three forms."""

    def __init__(self, layer: LoweredExemplar, form: str) -> None:
        super().__init__()
        self.layer, self.form = layer, form
        self.exemplars = layer.depthwise.shape[0]
        bank = layer.depthwise.view(self.exemplars, layer.channels, -1).permute(1, 0, 2)
        self.bank = bank.reshape(-1, 1, layer.kernel, layer.kernel).contiguous()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer, k = self.layer, self.layer.kernel
        height, width = int(x.shape[2]), int(x.shape[3])
        attention = layer.attention(x, None)
        if self.form == "static":
            maps = F.conv2d(x, self.bank, padding=k // 2, groups=layer.channels)
            maps = maps.reshape(layer.channels, self.exemplars, -1)
            return (attention.reshape(1, 1, -1) @ maps).reshape(1, -1, height, width)
        mixed = (attention @ layer.depthwise).reshape(layer.channels, 1, k, k)
        if self.form == "dynamic":
            return F.conv2d(x, mixed, padding=k // 2, groups=layer.channels)
        padded, total = F.pad(x, (k // 2,) * 4), torch.zeros_like(x)
        for i in range(k):
            for j in range(k):
                part = padded[:, :, i : i + height, j : j + width]
                total = total + part * mixed[:, :, i, j].reshape(1, -1, 1, 1)
        return total


def onnxruntime_call(path: Path, x: np.ndarray, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def openvino_call(path: Path, x: np.ndarray, threads: int):
    from pytracking_et.engines.runtimes.openvino import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda: request.infer([x], share_inputs=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=60)
    args = parser.parse_args()
    calls, x = {}, torch.randn(1, 256, 16, 16)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for kernel in (3, 5):
            lowered = LoweredExemplar(ExemplarLayer(256, kernel).eval())
            for form in ("dynamic", "static", "shift"):
                path = Path(folder) / f"{form}{kernel}.onnx"
                torch.onnx.export(
                    Depthwise(lowered, form).eval(), (x,), str(path), dynamo=False,
                    opset_version=17, input_names=["x"],
                )  # fmt: skip
                for name, opener in (("onnx", onnxruntime_call), ("openvino", openvino_call)):
                    calls[f"{kernel}x{kernel} {form:<8} {name}"] = opener(
                        path, x.numpy(), args.threads
                    )
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(args.runs):
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - started)
    for name, values in times.items():
        print(f"{name:<28}{statistics.median(values[5:]) * 1000:8.3f} ms")


if __name__ == "__main__":
    main()
