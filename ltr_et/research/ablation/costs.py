"""What a network costs: parameters, multiply-adds, time of a frame, memory of a process.

`python -m ltr_et.research.ablation.costs NETWORK WEIGHTS` measures time and memory in a
process of its own and prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from pytracking_et.benchmark.measure import resident_memory
from pytracking_et.engines.base import TargetEngine
from pytracking_et.engines.package import sample_crop
from pytracking_et.errors import EngineError

WARM_UP, RUNS = 5, 30


@cache
def size(configuration: str) -> dict[str, int]:
    """`macs` (multiply-adds) of one search crop of 256 px, counted by PyTorch; `parameters`."""
    import torch

    from pytracking_et import network
    from pytracking_et.benchmark.roofline import count

    net = network.build(configuration).eval()
    with torch.no_grad():
        zf, image = net.template(torch.zeros(1, 3, 128, 128)), torch.zeros(1, 3, 256, 256)
        macs = count(lambda: net.track(zf, image))
    return {"macs": macs, "parameters": sum(value.numel() for value in net.parameters())}


def measured(
    configuration: str, weights: Path, engine: str = "auto", threads: int | None = None
) -> dict[str, Any]:
    """Latency and memory of a configuration at float32, in a fresh process.

    Args:
        engine: a name, or "auto" for the fastest installed here.

    Returns:
        `engine`, `latency_ms` (median of a search crop of 256 px), `memory_mb` (largest resident
        size of the process; None where the system does not tell).

    Raises:
        EngineError: the process failed; quotes its last line.
    """
    from pytracking_et.engines import create

    # Exports and choices are made here, so that the process measures tracking alone.
    chosen = create(engine, configuration, weights, threads, "f32").name.split()[0]
    command = [sys.executable, "-m", __name__, configuration, str(weights), "--engine", chosen]
    if threads:
        command += ["--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"measuring {configuration} with {chosen} failed: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def latency_ms(engine: TargetEngine, warm_up: int, runs: int) -> float:
    """Median time of a search crop of 256 px, in ms."""
    engine.template(sample_crop(127, seed=1))
    crop, times = sample_crop(256, seed=2), []
    for _ in range(warm_up + runs):
        began = time.perf_counter()
        engine.track(crop)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[warm_up:])


def main(arguments: list[str] | None = None) -> int:
    """Measure in this process and print JSON."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("configuration")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args(arguments)

    from pytracking_et.engines import create

    engine = create(options.engine, options.configuration, options.weights, options.threads, "f32")
    result = {
        "engine": engine.name,
        "latency_ms": latency_ms(engine, WARM_UP, RUNS),
        "memory_mb": resident_memory(peak=True),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
