"""Figures without a display: matplotlib Figure objects, never pyplot, never its global state."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..boxtables import PathArgument
from ..errors import ParameterError
from .comparison import Comparison
from .eval_data import mean_curves
from .looks import SCREEN, Look, tracker_styles
from .metrics import Array
from .tables import written

FORMATS = ("pdf", "svg", "png")
# Kinds of curves over thresholds, and what their files are called after.
CURVES = {"success": "success", "prec": "precision", "norm_prec": "norm_precision"}
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
    names: Sequence[str],
    look: Look,
) -> Figure:
    """One line per tracker, best first in the legend.

    Args:
        curves: (label, x, y, figure shown in the legend).
        options: see `plot_options`.
        note: printed below, states the rule.
        names: of the trackers, see `tracker_styles`.
    """
    styles = tracker_styles(names)
    order = sorted(range(len(curves)), key=lambda i: -np.nan_to_num(curves[i][3], nan=-np.inf))
    with matplotlib.rc_context(look.style()):
        figure, axes = _canvas(note, look)
        # Drawn last to first, so that the best line lies on top.
        lines = {}
        for i in reversed(order):
            label, x, y, value = curves[i]
            (lines[i],) = axes.plot(
                x, y, color=styles[i]["color"], linestyle=styles[i]["line_style"],
                linewidth=look.line, label=f"{label} [{value:.1f}]",
            )  # fmt: skip
        axes.set(**{k: options[k] for k in ("xlabel", "ylabel", "xlim", "ylim")})
        if look.title:
            axes.set_title(options["title"])
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


def draw_radar(
    table: pd.DataFrame,
    title: str,
    note: str,
    names: Sequence[str] | None = None,
    look: Look = SCREEN,
) -> Figure:
    """Attributes as axes, one closed line per tracker.

    Args:
        table: one row an attribute, one column a tracker, percent.
        names: as of `draw_curves`; the labels where None.
    """
    if len(table) < 3:
        raise ParameterError(f"a radar plot needs three attributes, got {list(table.index)}")
    styles = tracker_styles(names or [str(label) for label in table.columns])
    angles = np.linspace(0, 2 * np.pi, len(table), endpoint=False)
    closed = np.append(angles, angles[0])
    # Square, and the legend below it in rows of what the width holds.
    em, width = look.points / 72, look.size[0]
    columns = max(1, min(len(styles), int(width / (em * (4 + 0.55 * _longest(table.columns))))))
    rows = -(-len(styles) // columns)
    with matplotlib.rc_context(look.style()):
        figure = Figure(figsize=(width, width + em * (1.6 * rows + 3 * look.title)))
        foot = _footer(figure, note, look)
        legend = foot + 1.5 * em * rows + 0.7 * em
        # Names of attributes stand outside of the circle.
        side = width - 2 * em * (2.2 + 0.6 * _longest(table.index))
        if side < 5 * em:
            raise ParameterError(
                f"a radar plot {width:g} inches wide has no room beside its attributes' names at "
                f"{look.points:g} points; make it larger, or take short names"
            )
        figure.set_figheight(legend + side + em * (5.2 + 1.8 * look.title))
        high = figure.get_figheight()
        place = ((width - side) / 2 / width, (legend + 2.6 * em) / high, side / width, side / high)
        axes: Any = figure.add_axes(place, projection="polar")
        for text in figure.texts:
            text.set_y(_MARGIN / high)
        lines: list[Any] = []
        for style, (label, values) in zip(styles, table.items(), strict=True):
            lines += axes.plot(
                closed, np.append(values.to_numpy(), values.iloc[0]), color=style["color"],
                linestyle=style["line_style"], linewidth=look.line, label=str(label),
            )  # fmt: skip
        axes.set_theta_zero_location("N")
        axes.set_theta_direction(-1)
        axes.set_xticks(angles, [str(name) for name in table.index])
        for text, angle in zip(axes.get_xticklabels(), angles, strict=True):
            # Set beside the circle, not centered on it.
            across = np.sin(angle)
            text.set_horizontalalignment(
                "center" if abs(across) < 0.2 else "left" if across > 0 else "right"
            )
        axes.tick_params(axis="x", pad=0.2 * look.points)
        low = float(np.nanmin(table.to_numpy()))
        # The differences are what is looked at; the ring at the center is labeled like the others.
        axes.set_ylim(max(0, 10 * np.floor((low - 5) / 10)), None)
        # Figures of the rings between two axes, where no line turns, and on white.
        axes.set_rlabel_position(np.degrees(angles[1] / 2))
        axes.tick_params(axis="y", labelsize=0.8 * look.points, labelcolor="0.3")
        for text in axes.get_yticklabels():
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8})
        axes.grid(color="0.85")
        if look.title:
            figure.text(0.5, 1 - 0.7 * em / high, title, fontsize="large", ha="center", va="top")
        figure.legend(  # by itself it would leave out labels that begin with "_"
            lines, list(map(str, table)), loc="lower center", ncols=columns, fontsize="small",
            bbox_to_anchor=(0.5, (foot + 0.3 * em) / high), borderaxespad=0,
        )  # fmt: skip
    return figure


def _longest(names: Iterable[Any]) -> int:
    return max(len(str(name)) for name in names)


def draw_speed(
    table: pd.DataFrame,
    runs: Mapping[str, tuple[float, float]],
    dataset: str,
    note: str,
    names: Sequence[str] | None = None,
    look: Look = SCREEN,
) -> Figure:
    """Accuracy against speed: published trackers as dots, own runs as stars.

    Args:
        table: one row a tracker, columns fps and auc (percent).
        runs: label -> (fps, auc).
        names: of the trackers of the runs, as of `draw_radar`.
    """
    with matplotlib.rc_context(look.style()):
        figure, axes = _canvas(note, look)
        axes.scatter(table["fps"], table["auc"], s=28, color="0.45", zorder=3)
        points = [(label, *point, "0.25") for label, *point in table[["fps", "auc"]].itertuples()]
        styles = tracker_styles(names or list(runs))
        for style, (label, (fps, auc)) in zip(styles, runs.items(), strict=True):
            axes.scatter(fps, auc, s=130, marker="*", color=style["color"], zorder=4)
            # Own runs come first: they get the best places for their names.
            points.insert(0, (label, fps, auc, style["color"]))
        axes.set(
            xscale="log",
            xlabel="Frames per second on a CPU (log scale; machines differ)",
            ylabel="Success AUC [%]",
        )
        if look.title:
            axes.set_title(f"Accuracy against speed, {dataset}")
        every = [fps for _, fps, _, _ in points]
        ticks = [v for v in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if v >= min(every) / 2]
        axes.set_xticks(ticks, [str(v) for v in ticks])
        axes.minorticks_off()
        axes.set_xlim(min(every) / 1.4, max(every) * 1.9)
        axes.margins(y=0.08)
        axes.autoscale_view(scalex=False)
        axes.grid(color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        _name_points(axes, points, 0.78 * look.points)
    return figure


def _name_points(axes: Any, names: Sequence[tuple[str, float, float, str]], size: float) -> None:
    """Write each name near its point where nothing else is, with a thin line if further off.

    Args:
        names: (text, x, y, color); earlier ones choose first.
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


_MARGIN = 0.06  # inches


def _canvas(note: str, look: Look) -> tuple[Figure, Any]:
    # Margins are set by hand, in letters: a tight layout draws everything twice.
    (width, height), em = look.size, look.points / 72
    figure = Figure(figsize=(width, height))
    left, right, top = 4.8 * em, 1.4 * em, (2.6 if look.title else 0.9) * em
    bottom = 3.9 * em + _footer(figure, note, look)
    if width - left - right < 5 * em or height - top - bottom < 5 * em:
        raise ParameterError(
            f"a figure of {width:g}x{height:g} inches has no room for its axes at "
            f"{look.points:g} points; make it larger"
        )
    place = (left / width, bottom / height, (width - left - right) / width)
    return figure, figure.add_axes((*place, (height - top - bottom) / height))


def _footer(figure: Figure, note: str, look: Look) -> float:
    """Print the note at the bottom; returns the inches it takes."""
    figure.set_label(note)
    if not look.note:
        return _MARGIN
    width, height = figure.get_size_inches()
    size = 0.67 * look.points
    lines = textwrap.wrap(note, int(72 * (width - 2 * _MARGIN) / (0.54 * size)))
    figure.text(
        _MARGIN / width, _MARGIN / height, "\n".join(lines), fontsize=size, color="0.35",
        va="bottom",
    )  # fmt: skip
    return _MARGIN + 1.25 * size / 72 * len(lines)


def save_figure(
    figure: Figure,
    stem: PathArgument,
    formats: Sequence[str] = FORMATS,
    dpi: int | None = None,
    look: Look = SCREEN,
) -> list[Path]:
    """Write a figure as `stem`.pdf, .svg, .png, each whole or not at all.

    Args:
        dpi: of the PNG; 150, or 300 for figures below 5 inches, which are for print.
        look: as it was drawn with.
    """
    files = []
    formats = [formats] if isinstance(formats, str) else formats
    dpi = dpi or (150 if look.size[0] >= 5 else 300)
    with matplotlib.rc_context(look.style()):
        for form in formats:
            if form not in FORMATS:
                raise ParameterError(f"unknown figure format {form!r}; one of: {FORMATS}")
            path = Path(f"{stem}.{form}")
            about = {
                "pdf": {"CreationDate": None, "Subject": str(figure.get_label())},
                "svg": {"Date": None, "Description": str(figure.get_label())},
                "png": {"Description": str(figure.get_label())},
            }
            with written(path) as temporary:
                figure.savefig(temporary, format=form, dpi=dpi, metadata=about[form])
            files.append(path)
    return files


def draw_comparison(
    data: Comparison,
    kind: str,
    plot_opts: Mapping[str, Any] | None = None,
    look: Look = SCREEN,
) -> Figure:
    """The curves of one plot type."""
    titled = {"title": f"{_PLOTS[kind]['title']}, {data.dataset}"} if kind in _PLOTS else {}
    options = plot_options(kind, {**titled, **(plot_opts or {})})
    x, y, figure = mean_curves(data, kind)
    rows = [(label, x, y[i], float(figure[i])) for i, label in enumerate(data.labels)]
    return draw_curves(rows, options, data.note, names=data.names, look=look)
