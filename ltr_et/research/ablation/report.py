"""An ablation's figures as the paper's table: Markdown, LaTeX, JSON and a bar chart."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pytracking_et.analysis.summary import caveat, source
from pytracking_et.analysis.tables import Table
from pytracking_et.files import atomic_open, atomic_path

from .rows import Row

_MEANINGS = {
    "Params [M]": "learned values in millions",
    "MACs [M]": "multiply-adds of one search crop of 256 px, in millions",
    "Latency [ms]": "median time of one search crop, float32",
    "Latency ratio": "to the first row's",
    "Memory [MB]": "largest resident size of a process that only tracks",
    "Pairs": "training pairs seen, mean over seeds",
    "Minutes": "training time of one seed, mean over seeds",
}


@dataclass
class Result:
    """What was measured of a row.

    Attributes:
        auc: data set -> AUC in percent, one per seed.
        pairs: of training, per seed.
        minutes: of training, per seed.
        cost: `parameters`, `macs`, `latency_ms`, `memory_mb`, `engine`.
        start: where the weights started.
        failure: why the row has no figures.
        seeds: of the trainings; empty in rows that an earlier version stored.
        sequences: data set -> number of sequences evaluated; empty likewise.
        left_out: why a row's figures do not stand in this table.
    """

    configuration: str
    label: str
    published: dict[str, float]
    auc: dict[str, list[float]] = field(default_factory=dict)
    pairs: list[int] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)
    cost: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    failure: str = ""
    seeds: list[int] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    left_out: str = ""

    @staticmethod
    def of(row: Row) -> Result:
        """Nothing measured yet."""
        return Result(row.configuration, row.label, dict(row.published))


@dataclass(frozen=True)
class Context:
    """What the figures depend on and every table must say.

    Attributes:
        budget: of each row.
        seeds: of each row.
        datasets: our data set -> (paper's column or None, sequences).
        command: the exact command line.
        machine: processor and versions.
        frames: only the first N of each sequence were tracked; None: all.
    """

    budget: str
    seeds: tuple[int, ...]
    datasets: Mapping[str, tuple[str | None, int]]
    command: str
    machine: Mapping[str, Any]
    frames: int | None = None

    def heading(self, name: str) -> str:
        """Column of a data set's AUC."""
        first = f", first {self.frames} frames" if self.frames else ""
        return f"AUC {name} ({self.datasets[name][1]} seq.{first})"

    def differs(self, result: Result) -> str:
        """In what a stored row differs from what the table says of all rows; empty: in nothing.

        A row that failed on its way need not have all seeds and data sets.
        """
        if not result.pairs:
            return ""
        seeds, wanted = set(result.seeds), set(self.seeds)
        if seeds and seeds != wanted and not (result.failure and seeds < wanted):
            return f"seeds {', '.join(map(str, result.seeds))}"
        if not result.seeds and len(result.pairs) != len(self.seeds) and not result.failure:
            return f"{len(result.pairs)} seeds"
        for name, (_, count) in self.datasets.items():
            if name not in result.auc and not result.failure:
                return f"not evaluated on {name}"
            if result.sequences.get(name, count) != count:
                return f"{result.sequences[name]} sequences of {name}"
        return ""


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else float("nan")


def frame(results: Sequence[Result], context: Context) -> pd.DataFrame:
    """One row a configuration; NaN where nothing was measured or published."""
    records = []
    for result in results:
        record: dict[str, float] = {}
        for name, (column, _) in context.datasets.items():
            values = result.auc.get(name, [])
            record[context.heading(name)] = _mean(values)
            if len(context.seeds) > 1:
                spread = statistics.stdev(values) if len(values) > 1 else float("nan")
                record[f"± {name}"] = spread
            if column in result.published:
                record[f"paper {column}"] = result.published[column]
        for column, value in result.published.items():
            record.setdefault(f"paper {column}", value)
        cost = result.cost
        record["Params [M]"] = cost.get("parameters", float("nan")) / 1e6
        record["MACs [M]"] = cost.get("macs", float("nan")) / 1e6
        record["Latency [ms]"] = _number(cost.get("latency_ms"))
        record["Latency ratio"] = _number(cost.get("latency_ms")) / _number(
            results[0].cost.get("latency_ms")
        )
        record["Memory [MB]"] = _number(cost.get("memory_mb"))
        record["Minutes"] = _mean(result.minutes)
        records.append(record)
    index = pd.Index([result.label for result in results], name="")
    made = pd.DataFrame(records, index=index, dtype=float)
    pairs = [round(_mean(result.pairs)) if result.pairs else None for result in results]
    made["Pairs"] = pd.Series(pairs, index, dtype=object)
    return made


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def note(results: Sequence[Result], context: Context) -> str:
    """What a reader must know before comparing our columns with the paper's."""
    parts = [
        f"ours: {context.budget} a row, seeds {', '.join(map(str, context.seeds))}; the paper "
        "trained 50 epochs on LaSOT, TrackingNet, GOT-10k and COCO, so compare rows with each "
        "other, not our columns with theirs; at a small budget AUC says which row learns "
        "quickest, not which is best in the end",
        "feed-forwards have all 1,024 hidden units here (the shipped weights use fewer)",
        *(
            f"{name}: {caveat(column, sequences)}{column} published"
            for name, (column, sequences) in context.datasets.items()
            if column
        ),
        f"paper: {source()}",
    ]
    if context.frames:
        parts.append(f"only the first {context.frames} frames of each sequence were tracked")
    if len({pairs for result in results for pairs in result.pairs}) > 1:
        parts.append("rows saw as many pairs as fit into the time (column Pairs)")
    starts = {result.start for result in results if result.start}
    for start in sorted(starts):
        labels = [r.label for r in results if r.start == start]
        parts.append(f"{start}: {', '.join(labels)}")
    engines = sorted({r.cost["engine"] for r in results if "engine" in r.cost})
    parts.append(f"latency: {' / '.join(engines) or 'not measured'} on {context.machine['cpu']}")
    parts += [f"{r.label} FAILED: {r.failure}" for r in results if r.failure]
    parts += [f"{r.label} left out, stored with {r.left_out}" for r in results if r.left_out]
    missing = [r.label for r in results if not (r.pairs or r.failure or r.left_out)]
    if missing:
        parts.append(f"not run yet: {', '.join(missing)}")
    return "; ".join(parts)


def write(table: str, results: Sequence[Result], context: Context, output: Path) -> Table:
    """Write `<table>.md`, `.tex`, `.json` and `.png`; returns the table.

    The JSON holds every figure of every seed and the command.
    """
    shown = Table(
        frame(results, context),
        f"Ablation: {table}",
        note(results, context),
        digits=1,
        best=False,
        meanings=_MEANINGS,
    )
    command = f"\nCommand: `{context.command}`\n"
    with atomic_open(output / f"{table}.md") as stream:
        stream.write(shown.to_markdown() + command)
    shown.write(output / f"{table}.tex", "latex")
    content = {
        "table": table,
        "note": shown.note,
        "context": asdict(context),
        "rows": [asdict(result) for result in results],
    }
    with atomic_open(output / f"{table}.json") as stream:
        json.dump(content, stream, indent=1, ensure_ascii=False)
        stream.write("\n")
    _plot(table, results, context, output / f"{table}.png")
    return shown


def _plot(table: str, results: Sequence[Result], context: Context, path: Path) -> None:
    figure, axes = new_figure(len(context.datasets) + 1, 4.5)
    labels = [result.label for result in results]
    for panel, (name, (column, sequences)) in zip(axes, context.datasets.items(), strict=False):
        ours = [_mean(result.auc.get(name, [])) for result in results]
        _bars(panel, labels, ours, f"ours, {context.budget}", -0.2)
        for place, result in enumerate(results):
            seeds = result.auc.get(name, [])
            panel.plot(seeds, [place - 0.2] * len(seeds), "k|")
        warning = ""
        if column:
            theirs = [result.published.get(column, float("nan")) for result in results]
            _bars(panel, labels, theirs, f"paper, {column}", 0.2)
            warning = caveat(column, sequences).rstrip("; ")
        panel.set_xlim(0, 100)
        panel.set_xlabel(f"{context.heading(name)} [%]")
        panel.set_title(warning or table, fontsize=7, wrap=True)
        # Below the axis: inside, it would hide bars.
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
    latency = [_number(result.cost.get("latency_ms")) for result in results]
    macs = [result.cost.get("macs", float("nan")) / 1e6 for result in results]
    shown = any(value == value for value in latency)
    _bars(axes[-1], labels, latency if shown else macs, "", 0.0)
    axes[-1].set_xlabel("latency, float32 [ms]" if shown else "multiply-adds [M]")
    axes[-1].tick_params(labelleft=len(axes) == 1)
    save(figure, path)


def _bars(
    panel: Any, labels: Sequence[str], values: Sequence[float], legend: str, offset: float
) -> None:
    """Horizontal bars, one a row, first row on top; NaN leaves its place empty."""
    panel.barh([place + offset for place in range(len(labels))], values, 0.38, label=legend)
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.5, -0.5)


def new_figure(panels: int, height: float = 4.0) -> tuple[Figure, list[Any]]:
    """A figure with panels side by side."""
    figure = Figure(figsize=(1.0 + 5.5 * panels, height), layout="constrained")
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
