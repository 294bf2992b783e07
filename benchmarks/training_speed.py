"""Pairs a second of training, and where they go: `python benchmarks/training_speed.py --data DATA`.

Times each part of a step of the recipe `large` alone, on the GPU where there is one: pairs made on
the device, the teacher, the backbone forward and backward, the heads with each form of the
depthwise convolution. A speed is a median over repetitions in one run; compare parts, not runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ltr_et import fast_heads
from ltr_et.actors import ETActor, teacher_outputs
from ltr_et.data.bank import FrameBank
from ltr_et.data.batched import BatchedSettings, DevicePairs
from ltr_et.dataset.pack import open_pack
from ltr_et.train_settings.et_tracker import LARGE_LOSSES
from pytracking_et import network


def timed(function: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[2:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with video/ and still/")
    parser.add_argument("--teacher", type=Path, required=True, help="LT-Mobile's weights")
    parser.add_argument("--sources", nargs="*", help="only these")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.perf_counter()
    found = [d for d in open_pack(options.data) if not options.sources or d.name in options.sources]
    bank = FrameBank(found, device)
    print(f"{len(bank.offset)} frames on {device} in {time.perf_counter() - began:.1f} s")
    pairs = DevicePairs(bank, options.batch, BatchedSettings(sizes=(224,)))
    teacher = network.build("lt_mobile")
    network.weights.load(teacher, options.teacher)
    teacher = teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    net = network.build("et_tracker").to(device, memory_format=torch.channels_last)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    batch = pairs.make(0) | {"progress": 0.0}
    actor = ETActor(net, teacher, LARGE_LOSSES)

    def run(name: str, function: Callable[[], Any]) -> None:
        seconds = timed(function, device, options.repeats)
        print(f"{name:44s} {1000 * seconds:8.1f} ms  {options.batch / seconds:8.0f} pairs/s")

    def backward(value: torch.Tensor) -> None:
        net.zero_grad(set_to_none=True)
        value.backward()

    with torch.autocast(device.type, torch.bfloat16):
        run("pairs made on the device", lambda: pairs.make(1))
        with torch.no_grad():
            run("teacher", lambda: teacher_outputs(teacher, *actor.features(teacher, batch)))
            features = actor.features(net, batch)
            run("backbone forward", lambda: actor.features(net, batch))
        run("backbone forward and backward",
            lambda: backward(actor.features(net, batch)[1].float().mean()))  # fmt: skip
        chosen = fast_heads.depthwise
        for name in ("shifted_depthwise", "grouped"):
            form = getattr(fast_heads, name, fast_heads.DepthwisePerSample.apply)
            fast_heads.depthwise = form

            def heads() -> None:
                out = actor.heads(*features)
                backward(out.logits.float().mean() + out.distances.float().mean())

            try:
                run(f"heads forward and backward, {name}", heads)
            except RuntimeError as error:
                print(f"heads, {name}: {str(error).splitlines()[0]}")
        fast_heads.depthwise = chosen
        run("whole step but the optimiser", lambda: backward(actor(batch)[0]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
