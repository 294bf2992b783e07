"""Plot of a run's log: losses, validation IoU, tracking AUC, learning rate and speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytracking_et.files import atomic_path

from .log import Record, read_log

# (panel title, kind of record, which values)
_PANELS: list[tuple[str, str, Callable[[str], bool]]] = [
    ("training loss", "train", lambda name: name.startswith("Loss/")),
    ("validation", "validation", lambda name: name in ("iou", "hit")),
    ("tracking, success AUC", "tracking", lambda name: name == "auc"),
    ("learning rate factor, share of waiting", "train", lambda name: name in ("rate", "waiting")),
    ("samples a second", "train", lambda name: name == "samples_per_second"),
]


def series(records: list[Record], kind: str, name: str) -> tuple[list[int], list[float]]:
    """(samples, values) of one value over the records of a kind."""
    chosen = [r for r in records if r["kind"] == kind and isinstance(r.get(name), (int, float))]
    return [r["samples"] for r in chosen], [r[name] for r in chosen]


def plot(log: Path, output: Path) -> Path:
    """Draw `log` (JSON lines) and `tracking.jsonl` beside it into `output` (.png or .pdf).

    Panels without records are left out.
    """
    from matplotlib.figure import Figure

    records = read_log(log) + read_log(log.with_name("tracking.jsonl"))
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
        _mark_stages(axis, records)
    axes[-1].set_xlabel("samples")
    with atomic_path(output) as temporary:
        figure.savefig(temporary, dpi=110)
    return output


def _mark_stages(axis: Any, records: list[Record]) -> None:
    for record in records:
        if record["kind"] == "event" and record.get("event") == "stage":
            axis.axvline(record["samples"], color="grey", linewidth=0.8, linestyle=":")
