"""Rows of the paper's tables (tables.json), and our figures of them beside the published ones."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pytracking_et.analysis.summary import published_figures, source
from pytracking_et.analysis.tables import Table
from pytracking_et.files import atomic_open, atomic_path, write_json

MEAN = "mean"
_MEANINGS = {
    "Seeds": "trainings",
    "Params [M]": "learned values in millions",
    "MACs [M]": "multiply-adds of one search crop of 256 px, in millions",
    "Latency [ms]": "median time of one search crop, float32",
    "Memory [MB]": "largest resident size of a process that only tracks",
    "Minutes": "training time of one seed, mean over seeds",
}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        label: as the table shows it.
        configuration: name for `network.build`.
        published: AUC in percent by data set ("OTB-100", "NFS", "LaSOT").
    """

    label: str
    configuration: str
    published: dict[str, float]


@cache
def _content() -> dict[str, list[dict[str, Any]]]:
    return json.loads((files(__package__) / "tables.json").read_text(encoding="utf-8"))


def rows(table: str) -> list[Row]:
    """Rows of a table in the paper's order."""
    return [_row(table, entry) for entry in _content()[table]]


def _row(table: str, entry: dict[str, Any]) -> Row:
    figures = published_figures(table).loc[entry["row"]]
    prefix = entry.get("columns", "")
    published = {
        str(column).removeprefix(f"{prefix} "): float(value)
        for column, value in figures.items()
        if str(column).startswith(prefix) and math.isfinite(value)
    }
    label = f"{entry['row']}, {prefix}" if prefix else entry["row"]
    return Row(label, entry["configuration"], published)


@dataclass
class Result:
    """What was measured of a row.

    Attributes:
        seeds: of the trainings.
        auc: sequence set -> AUC in percent of its starts, one per seed; "mean" of the sets, too.
        minutes: of training, per seed.
        start: where the weights started.
        cost: `parameters`, `macs`, and where measured `latency_ms`, `memory_mb`, `engine`, `cpu`.
    """

    row: Row
    seeds: list[int] = field(default_factory=list)
    auc: dict[str, list[float]] = field(default_factory=dict)
    minutes: list[float] = field(default_factory=list)
    start: str = ""
    cost: dict[str, Any] = field(default_factory=dict)

    @property
    def untrained(self) -> bool:
        """Whether its backbone started from random weights."""
        return "random" in self.start

    @property
    def label(self) -> str:
        """As the table shows it: rows whose backbone knew nothing are marked."""
        return f"{self.row.label} (RANDOM backbone)" if self.untrained else self.row.label


@dataclass(frozen=True)
class Context:
    """What the figures depend on and every table must say.

    Attributes:
        pairs: seen by each row.
        batch: pairs of a step.
        seeds: that were asked for.
        starts: sequence set -> number of starts.
        command: the exact command line.
        machine: processor and versions.
    """

    pairs: int
    batch: int
    seeds: tuple[int, ...]
    starts: Mapping[str, int]
    command: str
    machine: Mapping[str, Any]


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def frame(results: Sequence[Result], context: Context) -> pd.DataFrame:
    """One row a configuration; NaN where nothing was measured or published."""
    records = []
    for result in results:
        record: dict[str, float | None] = {}
        for name in (*context.starts, MEAN):
            values = result.auc.get(name, [])
            record[f"AUC {name}"] = _mean(values)
            record[f"± {name}"] = statistics.stdev(values) if len(values) > 1 else None
        record |= {f"paper {name}": value for name, value in result.row.published.items()}
        cost = result.cost
        record["Params [M]"] = cost.get("parameters", math.nan) / 1e6
        record["MACs [M]"] = cost.get("macs", math.nan) / 1e6
        record["Latency [ms]"] = cost.get("latency_ms")
        record["Memory [MB]"] = cost.get("memory_mb")
        record["Minutes"] = _mean(result.minutes)
        records.append(record)
    index = pd.Index([result.label for result in results], name="")
    made = pd.DataFrame(records, index=index, dtype=float).dropna(axis="columns", how="all")
    made["Seeds"] = pd.Series([len(result.seeds) for result in results], index, dtype=object)
    return made


def order(results: Sequence[Result]) -> list[str]:
    """Claims "A > B" that every seed bears out: A's worst is above B's best.

    Of rows with two seeds or more, none with a random backbone.
    """
    known = [r for r in results if len(r.seeds) > 1 and not r.untrained and r.auc.get(MEAN)]
    return [
        f"{one.label} > {other.label}"
        for one in known
        for other in known
        if min(one.auc[MEAN]) > max(other.auc[MEAN])
    ]


def note(results: Sequence[Result], context: Context) -> str:
    """What a reader must know: first what the table shows and what not."""
    claims = order(results)
    starts = ", ".join(f"{count} of {name}" for name, count in context.starts.items())
    parts = [
        f"shows which row learns most from {context.pairs} pairs (the paper's saw millions), not "
        "which is best in the end; "
        + (
            f"orders that all seeds bear out: {', '.join(claims)}; of any other two rows none"
            if claims
            else "no order of rows is claimed: their seeds overlap, or are too few"
        ),
        f"AUC: mean over restarted starts ({starts}); ±: standard deviation over seeds "
        f"{', '.join(map(str, context.seeds))}",
        f"every row: the same pairs in the same order, batches of {context.batch}, ground truth "
        "only (no teacher, as in the paper), 1,024 hidden units in every feed-forward",
        f"paper: {source()}",
    ]
    for start in sorted({result.start for result in results if result.start}):
        parts.append(f"{start}: {', '.join(r.label for r in results if r.start == start)}")
    missing = [r.label for r in results if not r.seeds]
    fewer = [r.label for r in results if 0 < len(r.seeds) < len(context.seeds)]
    parts += [f"not run yet: {', '.join(missing)}"] if missing else []
    parts += [f"not all seeds yet: {', '.join(fewer)}"] if fewer else []
    measured = sorted(
        {f"{r.cost['engine']} on {r.cost['cpu']}" for r in results if "cpu" in r.cost}
    )
    parts += [f"latency: {' / '.join(measured)}"] if measured else []
    return "; ".join(parts)


def write(table: str, results: Sequence[Result], context: Context, output: Path) -> Table:
    """Write `<table>.md`, `.tex`, `.json` and, where a row may be drawn, `.png`.

    The JSON holds every figure of every seed and the command.
    """
    text = note(results, context)
    shown = Table(
        frame(results, context), f"Ablation: {table}", text, digits=1, best=False,
        meanings=_MEANINGS,
    )  # fmt: skip
    with atomic_open(output / f"{table}.md") as stream:
        stream.write(f"{shown.to_markdown()}\nCommand: `{context.command}`\n")
    shown.write(output / f"{table}.tex", "latex")
    content = {
        "table": table,
        "note": text,
        "context": asdict(context),
        "rows": [asdict(result) for result in results],
    }
    write_json(output / f"{table}.json", content, ensure_ascii=False)
    drawn = [result for result in results if result.seeds and not result.untrained]
    path = output / f"{table}.png"
    path.unlink(missing_ok=True)
    if drawn:
        _plot(drawn, context, path)
    return shown


def _plot(results: Sequence[Result], context: Context, path: Path) -> None:
    """Bars of the mean over sets, a stroke for each seed; beside them the work of a frame."""
    figure, (left, right) = new_figure(0.8 + 0.5 * len(results))
    places = list(range(len(results)))
    for panel, values in (
        (left, [_mean(result.auc[MEAN]) for result in results]),
        (right, [result.cost["macs"] / 1e6 for result in results]),
    ):
        panel.barh(places, values, 0.6)
        panel.set_yticks(places, [result.label for result in results])
        panel.set_ylim(len(results) - 0.5, -0.5)
    for place, result in enumerate(results):
        left.plot(result.auc[MEAN], [place] * len(result.seeds), "k|", markersize=12)
    left.set_xlabel(f"AUC, mean of {', '.join(context.starts)} [%], {context.pairs} pairs a row")
    right.set_xlabel("multiply-adds of a search crop [M]")
    right.tick_params(labelleft=False)
    save(figure, path)


def new_figure(height: float) -> tuple[Figure, list[Any]]:
    """A figure with two panels side by side."""
    figure = Figure(figsize=(12.0, height), layout="constrained")
    return figure, list(figure.subplots(1, 2))


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
