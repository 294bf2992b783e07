"""Figures without a display: matplotlib Figure objects, never pyplot, never its global state."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..boxtables import PathArgument
from ..errors import ParameterError
from .comparison import Comparison
from .eval_data import get_auc_curve, get_prec_curve
from .metrics import CENTER_THRESHOLDS, NORM_THRESHOLDS, Array
from .tables import written

FORMATS = ("pdf", "svg", "png")


# Told apart by readers with any colour vision, and by line style in black and white print:
# Okabe & Ito's palette (jfly.uni-koeln.de/color, 2008), its yellow darkened for thin lines.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8a000", "#56b4e9", "#e69f00", "#000000")
_LINES = ("-", "--", "-.", ":")

# TrueType in PDF, since publishers refuse Type 3 fonts; a salt makes SVG files reproducible.
_STYLE: Any = {"pdf.fonttype": 42, "svg.hashsalt": "pytracking-et", "font.size": 9.0}

_PLOTS: dict[str, dict[str, Any]] = {
    "success": {
        "title": "Success plot",
        "xlabel": "Overlap threshold",
        "ylabel": "Overlap precision [%]",
        "xlim": (0, 1.0),
        "ylim": (0, 100),
        "legend_loc": "lower left",
    },
    "prec": {
        "title": "Precision plot",
        "xlabel": "Location error threshold [pixels]",
        "ylabel": "Distance precision [%]",
        "xlim": (0, 50),
        "ylim": (0, 100),
        "legend_loc": "lower right",
    },
    "norm_prec": {
        "title": "Normalized precision plot",
        "xlabel": "Normalized location error threshold",
        "ylabel": "Distance precision [%]",
        "xlim": (0, 0.5),
        "ylim": (0, 100),
        "legend_loc": "lower right",
    },
    "f1_prec_rec": {
        "title": "Tracking precision against recall",
        "xlabel": "Tracking recall",
        "ylabel": "Tracking precision",
        "xlim": (0, 1.0),
        "ylim": (0, 1.0),
        "legend_loc": "lower left",
    },
}


def get_plot_draw_styles() -> list[dict[str, Any]]:
    """Colour and line style of the first, second, ... tracker: 32 that differ."""
    return [{"color": color, "line_style": line} for line in _LINES for color in _COLORS]


def plot_options(kind: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Options of a plot type (title, xlabel, ylabel, xlim, ylim, legend_loc), overridden.

    Raises:
        ParameterError: unknown plot type.
    """
    if kind not in _PLOTS:
        raise ParameterError(f"unknown plot type {kind!r}; one of: {', '.join(_PLOTS)}")
    return {**_PLOTS[kind], **(overrides or {})}


def draw_curves(
    curves: Sequence[tuple[str, Array, Array, float]],
    options: Mapping[str, Any],
    note: str,
    digits: int = 1,
) -> Figure:
    """One line per tracker, best first in the legend.

    Args:
        curves: (label, x, y, figure shown in the legend) in the order of the trackers, which
            gives each its colour whatever its rank.
        options: see `plot_options`.
        note: printed below, states the rule.
    """
    styles = get_plot_draw_styles()
    figure, axes = _canvas(note)
    order = sorted(range(len(curves)), key=lambda i: -np.nan_to_num(curves[i][3], nan=-np.inf))
    # Drawn last to first, so that the best line lies on top.
    lines = {}
    for i in reversed(order):
        label, x, y, value = curves[i]
        style = styles[i % len(styles)]
        (lines[i],) = axes.plot(
            x, y, color=style["color"], linestyle=style["line_style"], linewidth=1.6,
            label=f"{label} [{value:.{digits}f}]",
        )  # fmt: skip
    axes.set(**{k: options[k] for k in ("title", "xlabel", "ylabel", "xlim", "ylim")})
    axes.grid(color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(
        handles=[lines[i] for i in order],
        loc=options["legend_loc"],
        fontsize="small" if len(curves) <= 12 else "x-small",
        framealpha=0.85,
        ncols=1 if len(curves) <= 16 else 2,
    )
    return figure


def draw_radar(table: pd.DataFrame, title: str, note: str) -> Figure:
    """Attributes as axes, one closed line per tracker.

    Args:
        table: one row an attribute, one column a tracker, percent.
    """
    if len(table) < 3:
        raise ParameterError(f"a radar plot needs three attributes, got {list(table.index)}")
    figure = Figure(figsize=(6.4, 6.0))
    axes: Any = figure.add_axes((0.14, 0.15, 0.71, 0.71), projection="polar")
    angles = np.linspace(0, 2 * np.pi, len(table), endpoint=False)
    closed = np.append(angles, angles[0])
    for style, (label, values) in zip(get_plot_draw_styles(), table.items(), strict=False):
        ring = np.append(values.to_numpy(), values.iloc[0])
        axes.plot(
            closed, ring, color=style["color"], linestyle=style["line_style"],
            linewidth=1.6, label=str(label),
        )  # fmt: skip
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_xticks(angles, [str(name) for name in table.index])
    low = float(np.nanmin(table.to_numpy()))
    # The differences are what is looked at; the ring at the centre is labelled like the others.
    axes.set_ylim(max(0, 10 * np.floor((low - 5) / 10)), None)
    axes.tick_params(axis="y", labelsize=7, labelcolor="0.4")
    axes.grid(color="0.85")
    axes.set_title(title, pad=30)
    figure.legend(
        loc="lower center", bbox_to_anchor=(0.5, 0.045), ncols=min(4, table.shape[1]), fontsize=8
    )
    _footer(figure, note)
    return figure


def draw_speed(
    table: pd.DataFrame, runs: Mapping[str, tuple[float, float]], dataset: str, note: str
) -> Figure:
    """Accuracy against speed: published trackers as dots, own runs as stars.

    Args:
        table: one row a tracker, columns fps and auc (percent).
        runs: label -> (fps, auc).
    """
    figure, axes = _canvas(note)
    axes.scatter(table["fps"], table["auc"], s=28, color="0.45", zorder=3)
    names = [(label, *point, "0.25") for label, *point in table[["fps", "auc"]].itertuples()]
    for style, (label, (fps, auc)) in zip(get_plot_draw_styles(), runs.items(), strict=False):
        axes.scatter(fps, auc, s=130, marker="*", color=style["color"], zorder=4)
        # Own runs come first: they get the best places for their names.
        names.insert(0, (label, fps, auc, style["color"]))
    axes.set(
        xscale="log",
        title=f"Accuracy against speed, {dataset}",
        xlabel="Frames per second on a CPU (log scale; machines differ)",
        ylabel="Success AUC [%]",
    )
    every = [fps for _, fps, _, _ in names]
    ticks = [v for v in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if v >= min(every) / 2]
    axes.set_xticks(ticks, [str(v) for v in ticks])
    axes.minorticks_off()
    axes.set_xlim(min(every) / 1.4, max(every) * 1.9)
    axes.margins(y=0.08)
    axes.autoscale_view(scalex=False)
    axes.grid(color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    _name_points(axes, names)
    return figure


def _name_points(axes: Any, names: Sequence[tuple[str, float, float, str]], size: int = 7) -> None:
    """Write each name near its point where nothing else is, with a thin line if further off.

    Args:
        names: (text, x, y, colour); earlier ones choose first.
    """
    unit = axes.figure.dpi / 72
    points = axes.transData.transform([(x, y) for _, x, y, _ in names]) / unit
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    for (text, x, y, color), (px, py) in zip(names, points, strict=True):
        # Width of the default font's average letter, which is near enough to avoid collisions.
        width, height = 0.64 * size * len(text), float(size)
        places = [
            (dx if right else -dx - width, dy - height / 2, ring)
            for ring in range(5)
            for dx in (7 + 3 * ring,)
            for dy in (0, 8 * ring, -8 * ring)
            for right in (True, False)
        ]
        found = next(
            (p for p in places if _is_free(px + p[0], py + p[1], width, height, taken)), places[0]
        )
        axes.annotate(
            text, (x, y), xytext=found[:2], textcoords="offset points", fontsize=size, color=color,
            arrowprops={"arrowstyle": "-", "color": "0.7", "lw": 0.5} if found[2] > 1 else None,
        )  # fmt: skip
        taken.append((px + found[0], py + found[1], px + found[0] + width, py + found[1] + height))


def _is_free(
    x: float, y: float, width: float, height: float,
    taken: Sequence[tuple[float, float, float, float]],
) -> bool:  # fmt: skip
    return all(
        x > right or x + width < left or y > top or y + height < bottom
        for left, bottom, right, top in taken
    )


def _canvas(note: str) -> tuple[Figure, Any]:
    # Margins are set by hand: a tight layout draws everything twice.
    figure = Figure(figsize=(6.4, 4.8))
    bottom = 0.11 + _footer(figure, note)
    axes = figure.add_axes((0.10, bottom, 0.865, 0.93 - bottom))
    return figure, axes


def _footer(figure: Figure, note: str) -> float:
    """Print the note at the bottom; returns the share of the height it takes."""
    lines = textwrap.wrap(note, 138)
    figure.text(0.01, 0.012, "\n".join(lines), fontsize=6, color="0.35", va="bottom")
    return 0.012 + 0.0217 * len(lines)


def save_figure(
    figure: Figure, stem: PathArgument, formats: Sequence[str] = FORMATS, dpi: int = 150
) -> list[Path]:
    """Write a figure as `stem`.pdf, .svg, .png, each whole or not at all."""
    files = []
    with matplotlib.rc_context(_STYLE):
        for form in formats:
            if form not in FORMATS:
                raise ParameterError(f"unknown figure format {form!r}; one of: {FORMATS}")
            path = Path(f"{stem}.{form}")
            dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(form)
            with written(path) as temporary:
                figure.savefig(temporary, format=form, dpi=dpi, metadata=dated)
            files.append(path)
    return files


def draw_comparison(
    data: Comparison, kind: str, plot_opts: Mapping[str, Any] | None = None
) -> Figure:
    """The curves of one plot type."""
    options = plot_options(kind, plot_opts)
    valid = np.ones(len(data.sequences), bool)
    if kind == "success":
        x, (y, figure) = data.thresholds, get_auc_curve(data.success, valid)
    elif kind == "prec":
        x, (y, figure) = CENTER_THRESHOLDS, get_prec_curve(data.precision, valid)
    else:
        x, (y, figure) = NORM_THRESHOLDS, get_prec_curve(data.norm_precision, valid)
    rows = [(label, x, y[i], float(figure[i])) for i, label in enumerate(data.labels)]
    return draw_curves(rows, options, data.note)
