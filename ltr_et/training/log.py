"""The run's log: one JSON object a line, TensorBoard if installed, a progress bar, and its plot."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pytracking_et.files import atomic_open, atomic_path

from .. import jsonl
from ..jsonl import Record


class TrainingLog:
    """Appends records to `log.jsonl`; records beyond the point of resumption are dropped first.

    Args:
        folder: of the run.
        samples: pairs seen at the point of resumption; later records belong to work that a
            killed run lost and this one repeats. None: the run begins, all are another's.
        tensorboard: also write event files (extra `train`), where tensorboard is installed.
    """

    def __init__(self, folder: Path, samples: int | None = None, tensorboard: bool = True) -> None:
        self.path = Path(folder) / "log.jsonl"
        last = -1 if samples is None else samples
        kept = [r for r in jsonl.read(self.path) if r.get("samples", 0) <= last]
        if kept or self.path.exists():
            with atomic_open(self.path) as stream:
                stream.writelines(json.dumps(record) + "\n" for record in kept)
        self._writer = (
            _tensorboard(Path(folder) / "tensorboard", samples or 0) if tensorboard else None
        )

    def write(self, kind: str, samples: int, **values: Any) -> None:
        """Append a record of `kind` ("train", "validation", "event") at `samples` pairs."""
        record = {"kind": kind, "samples": samples, "time": round(time.time(), 1)}
        record |= {name: _short(value) for name, value in values.items()}
        jsonl.append(self.path, record)
        if self._writer is not None:
            for name, value in record.items():
                if isinstance(value, float) and name != "time":
                    self._writer.add_scalar(f"{kind}/{name}", value, samples)

    def close(self) -> None:
        """Flush TensorBoard."""
        if self._writer is not None:
            self._writer.close()


def _short(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.6g}")
    return value


def _tensorboard(folder: Path, samples: int) -> Any | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=samples)


class Meter:
    """Averages of the steps since the last record, speed, and share of time spent on data."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.sums: dict[str, float] = {}
        self.steps = 0
        self.samples = 0
        self.waited = 0.0
        self.began = time.perf_counter()

    def add(self, samples: int, waited: float, **values: float) -> None:
        """One step: pairs in it, seconds waited for them, values to average."""
        self.steps += 1
        self.samples += samples
        self.waited += waited
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def averages(self) -> dict[str, float]:
        """Mean values, `samples_per_second`, and `waiting` in 0..1."""
        passed = max(1e-9, time.perf_counter() - self.began)
        means = {name: value / max(1, self.steps) for name, value in self.sums.items()}
        return means | {
            "samples_per_second": self.samples / passed,
            "waiting": min(1.0, self.waited / passed),
        }


def progress_bar(stage: str, total: int, done: int, show: bool) -> Any:
    """A bar in samples (rate and time left); on a pipe or file one line a minute at most."""
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None under pythonw
    interval = 1.0 if terminal else 60.0
    return tqdm(
        total=total, initial=done, desc=stage, unit="sample",
        disable=not show or sys.stderr is None, mininterval=interval, smoothing=0.05,
        dynamic_ncols=terminal,
    )  # fmt: skip


# (panel title, kind of record, which values)
_PANELS: list[tuple[str, str, Callable[[str], bool]]] = [
    ("training loss", "train", lambda name: name.startswith("Loss/")),
    ("validation", "validation", lambda name: name in ("iou", "hit")),
    ("tracking, success AUC", "tracking", lambda name: name == "auc"),
    ("learning rate factor, share of waiting", "train", lambda name: name in ("rate", "waiting")),
    ("samples a second", "train", lambda name: name == "samples_per_second"),
]


def series(records: list[Record], kind: str, name: str) -> tuple[list[int], list[float]]:
    """(samples, values) of one value over the records of a kind; peers' ones have no samples."""
    of_kind = (r for r in records if r["kind"] == kind and "samples" in r)
    chosen = [r for r in of_kind if isinstance(r.get(name), (int, float))]
    return [r["samples"] for r in chosen], [r[name] for r in chosen]


def plot(log: Path, output: Path) -> Path:
    """Draw `log` (JSON lines) and `tracking.jsonl` beside it into `output` (.png or .pdf).

    Panels without records are left out.
    """
    from matplotlib.figure import Figure

    records = jsonl.read(log) + jsonl.read(log.with_name("tracking.jsonl"))
    panels = []
    for title, kind, wanted in _PANELS:
        names = sorted({n for r in records if r["kind"] == kind for n in r if wanted(n)})
        if names:
            panels.append((title, kind, names))
    figure = Figure(figsize=(9, 2.6 * max(1, len(panels))), layout="constrained")
    axes = figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (title, kind, names) in zip(axes, panels, strict=False):
        for name in names:
            samples, values = series(records, kind, name)
            marker = "" if kind == "train" else "o-"
            axis.plot(samples, values, marker or "-", label=name, linewidth=1, markersize=3)
        axis.set_title(title, fontsize=9)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, loc="upper right")
        for record in records:
            if record["kind"] == "event" and record.get("event") == "stage":
                axis.axvline(record["samples"], color="grey", linewidth=0.8, linestyle=":")
    axes[-1].set_xlabel("samples")
    with atomic_path(output) as temporary:
        figure.savefig(temporary, dpi=110)
    return output
