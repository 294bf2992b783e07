"""Cost of each tower module against the size of its input: the paper's argument, measured.

One layer of the classification tower (256 channels, 3 x 3 kernels) on maps of 16 x 16 to 64 x 64
positions, without the feed-forward, which is the same for all. Time and multiply-adds are fitted
with N ** e, N being the number of positions, and set beside the exponent that theory gives the
mixing of positions. A projection costs N ** 1, so that the fit of standard attention lies between
1 and its 2 and rises with N: the slope over the last step is given too.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pytracking_et.analysis.tables import Table
from pytracking_et.benchmark.roofline import count
from pytracking_et.errors import ParameterError
from pytracking_et.files import atomic_open, write_json
from pytracking_et.machine import cpu_name, versions
from pytracking_et.network.layers import build_layer

from .report import new_figure, save

CHANNELS, KERNEL = 256, 3
WARM_UP = 1

# name -> (layer, exponent of N in theory, reason)
MODULES: dict[str, tuple[str, int, str]] = {
    "Conv": ("conv", 1, "k x k + C products a position and channel"),
    "Standard": ("standard", 2, "every position attends to all: N x N"),
    "Clustered": ("clustered", 1, "32 centroids attend: 32 x N"),
    "Linear": ("linear", 1, "keys and values summed once: N x D x D"),
    "Local": ("local", 1, "tiles of 4 x 4 see 10 x 10: 100 x N"),
    "Swin": ("swin", 1, "windows of 4 x 4: 16 x N"),
    "Exemplar": ("exemplar", 1, "one query, then a convolution"),
}


@dataclass(frozen=True)
class Curve:
    """One module: sides of its maps, processor seconds (least) and multiply-adds at each.

    Exponents are least-squares slopes in log N; `last_*` are slopes between the two largest sizes.
    """

    module: str
    theory: int
    reason: str
    sides: tuple[int, ...]
    seconds: tuple[float, ...]
    macs: tuple[int, ...]
    time_exponent: float
    macs_exponent: float
    last_time_exponent: float
    last_macs_exponent: float


def exponent(sides: Sequence[int], costs: Sequence[float]) -> float:
    """Least-squares e of cost = a * N ** e with N = side ** 2."""
    positions = 2 * np.log(np.asarray(sides, float))
    return float(np.polyfit(positions, np.log(np.asarray(costs, float)), 1)[0])


def seconds_of(call: Callable[[], Any], repeats: int) -> float:
    """Least processor time of a call: what it costs where nothing else runs.

    Processor time over all threads, not the clock's: a machine that does other work would bend the
    curves. With one thread (the default) the two are the same on a quiet machine.
    """
    times = []
    for repeat in range(WARM_UP + repeats):
        began = time.process_time()
        call()
        if repeat >= WARM_UP:
            times.append(time.process_time() - began)
    return min(times)


def measure(module: str, sides: Sequence[int], repeats: int) -> Curve:
    """Time one module at every size.

    Raises:
        ParameterError: fewer than two different sizes, or no repeats.
    """
    if len(set(sides)) < 2 or min(sides) < 4 or repeats < 1:
        raise ParameterError(
            f"sides {list(sides)} and repeats {repeats}: give at least two different sides of 4 or "
            "more, and one repeat or more"
        )
    name, theory, reason = MODULES[module]
    options = {} if name == "conv" else {"feed_forward": False}
    torch.manual_seed(0)
    layer = build_layer(name, CHANNELS, KERNEL, 0, **options).eval()
    sides = sorted(set(sides))
    seconds, macs = [], []
    with torch.no_grad():
        for side in sides:
            x: Tensor = torch.randn(1, CHANNELS, side, side)
            macs.append(count(partial(layer, x)))
            seconds.append(seconds_of(partial(layer, x), repeats))
    return Curve(
        module, theory, reason, tuple(sides), tuple(seconds), tuple(macs),
        exponent(sides, seconds), exponent(sides, macs),
        exponent(sides[-2:], seconds[-2:]), exponent(sides[-2:], macs[-2:]),
    )  # fmt: skip


def table(curves: Sequence[Curve], note: str) -> Table:
    """Exponents and milliseconds of every module."""
    records = []
    for curve in curves:
        record: dict[str, float] = {
            "theory": float(curve.theory),
            "MACs": curve.macs_exponent,
            "MACs, last": curve.last_macs_exponent,
            "time": curve.time_exponent,
            "time, last": curve.last_time_exponent,
        }
        for side, seconds in zip(curve.sides, curve.seconds, strict=True):
            record[f"{side} x {side} [ms]"] = 1000 * seconds
        records.append(record)
    index = pd.Index([curve.module for curve in curves], name="module")
    meanings = {
        "theory": "exponent of N for the mixing of positions",
        "MACs": "fitted exponent of the layer's multiply-adds",
        "MACs, last": "between the two largest maps",
        "time": "fitted exponent of the measured time",
        "time, last": "between the two largest maps",
    }
    frame = pd.DataFrame(records, index=index, dtype=float)
    return Table(frame, "Cost against input size", note, best=False, meanings=meanings)


def draw(curves: Sequence[Curve], path: Path, note: str) -> None:
    """Measured time and multiply-adds against N, log-log, with slopes 1 and 2."""
    figure, axes = new_figure(4.6)
    panels = (("time of a layer [ms]", "seconds", 1e3), ("multiply-adds [M]", "macs", 1e-6))
    for axis, (label, attribute, factor) in zip(axes, panels, strict=True):
        for number, curve in enumerate(curves):
            fitted = curve.time_exponent if attribute == "seconds" else curve.macs_exponent
            values = [factor * value for value in getattr(curve, attribute)]
            positions = [side**2 for side in curve.sides]
            axis.plot(
                positions, values, marker="osv^D<>"[number % 7], color=f"C{number}",
                label=f"{curve.module}: {fitted:.2f} (theory {curve.theory})",
            )  # fmt: skip
        _slopes(axis)
        axis.set(xscale="log", yscale="log", xlabel="positions N", ylabel=label)
        axis.set_xticks([s**2 for s in curves[0].sides], [f"{s}²" for s in curves[0].sides])
        axis.minorticks_off()
        axis.legend(fontsize=7, title="fitted exponent", title_fontsize=7)
    figure.suptitle(note, fontsize=7, wrap=True)
    save(figure, path)


def _slopes(axis: Any) -> None:
    """Dotted lines of slope 1 and 2 through the lowest curve's start."""
    lines = axis.get_lines()
    start = min(line.get_ydata()[0] for line in lines)
    positions = np.asarray(lines[0].get_xdata(), float)
    for slope in (1, 2):
        values = start * (positions / positions[0]) ** slope
        axis.plot(positions, values, ":", color="grey", linewidth=1)
        axis.annotate(f"N^{slope}" if slope > 1 else "N", (positions[-1], values[-1]), fontsize=7)


def write(curves: Sequence[Curve], note: str, command: str, output: Path) -> Table:
    """Write `scaling.json`, `.md` and `.png`; returns the table."""
    shown = table(curves, note)
    with atomic_open(output / "scaling.md") as stream:
        stream.write(shown.to_markdown() + f"\nCommand: `{command}`\n")
    content = {
        "command": command,
        "note": note,
        "versions": versions(),
        "curves": [asdict(curve) for curve in curves],
    }
    write_json(output / "scaling.json", content)
    draw(curves, output / "scaling.png", note)
    return shown


def run(sides: Sequence[int], repeats: int, threads: int, output: Path, command: str) -> int:
    """Measure all modules and write `scaling.json`, `.md` and `.png`."""
    torch.set_num_threads(threads)
    output.mkdir(parents=True, exist_ok=True)
    curves = []
    for module in MODULES:
        curves.append(measure(module, sides, repeats))
        took = ", ".join(f"{1000 * value:.1f}" for value in curves[-1].seconds)
        print(f"{module:10} time N^{curves[-1].time_exponent:.2f}  ({took} ms)", flush=True)
    note = (
        f"one layer without feed-forward, {CHANNELS} channels, float32, {threads} thread(s), "
        f"least processor time of {repeats} runs; {cpu_name()}, torch {torch.__version__}, "
        f"load average {_load()}"
    )
    shown = write(curves, note, command, output)
    print(f"{shown.to_text()}written: {output / 'scaling.md'}, .json, .png")
    return 0


def _load() -> float | None:
    """Mean number of running processes of the last minute: how quiet the machine was (1: quiet)."""
    if not hasattr(os, "getloadavg"):
        return None
    value = os.getloadavg()[0]
    return round(value, 2) if math.isfinite(value) else None
