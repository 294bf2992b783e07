"""Means over many clips with what they are worth: bootstrap intervals, differences, losses.

A column's mean counts every start alike (whole: every sequence; tracks: every source). Intervals
redraw sequences (tracks: sources, or of one source its tracks), never frames or starts of one
sequence, which err together. Of a single sequence nothing tells how far its figure is from others':
there is no interval, and no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clips import RESTARTED, TRACKS, WHOLE
from .measure import Run

DRAWS, SEED = 4000, 20260101
MEAN = "mean"


@dataclass(frozen=True)
class Figure:
    """A mean in percent, its 95 % interval (NaN: unknown), and lost starts of how many."""

    mean: float
    low: float
    high: float
    lost: int = 0
    starts: int = 0


def columns(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(part, kind) of the columns, in order."""
    return list(dict.fromkeys((run.clip.part, run.start.kind) for run in _ordered(runs)))


def summary(runs: Sequence[Run], moved: bool = False) -> dict[str, Figure]:
    """Figures of one subject, by column ("shared whole", ...) and "mean" of the columns.

    Args:
        moved: of the runs from changed first boxes, else of the others.
    """
    chosen = [run for run in runs if (run.start.seed != 0) == moved]
    found, drawn = {}, []
    for part, kind in columns(chosen):
        column = [run for run in chosen if (run.clip.part, run.start.kind) == (part, kind)]
        means = _means(column)
        lost = sum(run.lost for run in column)
        found[f"{part} {kind}"] = _figure(means, lost, len(column))
        drawn.append(means)
    found[MEAN] = _figure(np.mean(drawn, axis=0), sum(f.lost for f in found.values()), len(chosen))
    return found


def difference(runs: Sequence[Run], base: Sequence[Run]) -> tuple[float, float]:
    """How much higher the mean of the columns is than `base`'s, and its standard error.

    The same clips are redrawn for both; runs from changed first boxes count where both have them.
    """
    gains = []
    known = {(run.clip.part, run.clip.name, run.start.key): run.auc for run in base}
    for part, kind in columns(runs):
        column = []
        for run in runs:
            before = known.get((part, run.clip.name, run.start.key))
            if (run.clip.part, run.start.kind) == (part, kind) and before is not None:
                column.append(Run(run.clip, run.start, run.auc - before, False))
        gains.append(_means(column))
    mean = np.mean(gains, axis=0)
    return float(mean[0]), float(mean[1:].std())


def sources(runs: Sequence[Run]) -> dict[str, float]:
    """Mean AUC of the tracks of each source of the training pack."""
    found: dict[str, list[float]] = {}
    for run in runs:
        if run.clip.part == TRACKS and run.start.seed == 0:
            found.setdefault(run.clip.source, []).append(run.auc)
    return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def _means(column: Sequence[Run]) -> NDArray[np.float64]:
    """Mean of a column (element 0) and of its redraws (1 + DRAWS,), NaN where there is but one."""
    alone = len({run.clip.source for run in column}) == 1
    sums: dict[str, list[float]] = {}
    for run in column:
        sums.setdefault(run.clip.name if alone else run.clip.source, []).append(run.auc)
    names = sorted(sums)
    totals = np.array([sum(sums[name]) for name in names])
    counts = np.array([len(sums[name]) for name in names], np.float64)
    if len(names) == 1:
        return np.concatenate([totals / counts, np.full(DRAWS, np.nan)])
    if column[0].clip.part == TRACKS and not alone:
        # A hundred pedestrians of one crowd must not outvote everything else.
        totals, counts = totals / counts, np.ones_like(counts)
    # Every column of one part draws the same sequences, so that whole and restarted go together.
    drawn = np.random.default_rng(SEED).multinomial(
        len(names), np.full(len(names), 1 / len(names)), DRAWS
    )
    weights = np.vstack([np.ones(len(names)), drawn])
    means: NDArray[np.float64] = (weights @ totals) / (weights @ counts)
    return means


def _figure(means: NDArray[np.float64], lost: int, starts: int) -> Figure:
    low, high = np.quantile(means[1:], [0.025, 0.975])
    return Figure(float(means[0]), float(low), float(high), lost, starts)


def _ordered(runs: Sequence[Run]) -> list[Run]:
    kinds = (WHOLE, RESTARTED)
    parts = list(dict.fromkeys(run.clip.part for run in runs))
    return sorted(runs, key=lambda run: (parts.index(run.clip.part), kinds.index(run.start.kind)))


def markdown(rows: Mapping[str, Sequence[Run]]) -> str:
    """The table; every row is compared with the first."""
    first = next(iter(rows.values()))
    names = [f"{part} {kind}" for part, kind in columns(first)]
    counts = summary(first)
    titles = [f"{name} ({counts[name].starts})" for name in names]
    lines = [
        f"| | {' | '.join(titles)} | **mean** | against the first |",
        "|---|" + "---:|" * (len(names) + 2),
    ]
    for label, runs in rows.items():
        gain, error = difference(runs, first)
        against = "" if runs is first else _against(gain, error)
        for moved in (False, True):
            if not moved or any(run.start.seed for run in runs):
                shown = summary(runs, moved)
                cells = [_cell(shown[name]) for name in names]
                title = f"{label}, first boxes moved" if moved else label
                last = "" if moved else against
                lines.append(f"| {title} | {' | '.join(cells)} | {_cell(shown[MEAN])} | {last} |")
    return "\n".join(lines)


def _against(gain: float, error: float) -> str:
    if math.isnan(error):
        return f"{gain:+.1f} (of one sequence)"
    verdict = ""
    if abs(gain) > 2 * error:
        verdict = " better" if gain > 0 else " worse"
    return f"{gain:+.1f} +- {error:.1f}{verdict}"


def _cell(figure: Figure) -> str:
    lost = f", {figure.lost} lost" if figure.lost else ""
    known = not math.isnan(figure.low)
    interval = f" [{figure.low:.0f}, {figure.high:.0f}]" if known else ""
    return f"{figure.mean:.1f}{interval}{lost}"


def record(runs: Sequence[Run]) -> dict[str, Any]:
    """For the log: every figure, and AUC per sequence."""
    found: dict[str, Any] = {"figures": _plain(summary(runs)), "sources": sources(runs)}
    if any(run.start.seed for run in runs):
        found["moved"] = _plain(summary(runs, moved=True))
    whole = [run for run in runs if run.start.kind == WHOLE and run.start.seed == 0]
    found["whole"] = {run.clip.name: round(run.auc, 2) for run in whole}
    return found


def _plain(figures: Mapping[str, Figure]) -> dict[str, list[float | None]]:
    """Mean, low, high (None: unknown), lost, starts of each column."""
    found: dict[str, list[float | None]] = {}
    for name, one in figures.items():
        values = (one.mean, one.low, one.high)
        rounded = [None if math.isnan(value) else round(value, 2) for value in values]
        found[name] = [*rounded, one.lost, one.starts]
    return found
