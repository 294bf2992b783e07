"""`ettrack results`: tables and plots from result files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ParameterError
from .selection import Selection, add_selection, select

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.comparison import Comparison
    from ..analysis.tables import Table

_PLOTS = {"success": "success", "prec": "precision", "norm_prec": "norm_precision"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack results`."""
    add_selection(parser)
    parser.add_argument(
        "--format", default="text", choices=("text", "md", "latex", "csv", "json"), help="of tables"
    )
    parser.add_argument("--output", metavar="FILE", help="write tables there, not to the terminal")
    parser.add_argument("--plots", metavar="DIR", help="write plots there as PDF, SVG and PNG")
    parser.add_argument(
        "--per-sequence",
        nargs="?",
        const="ao",
        metavar="FIGURE",
        help="add a table by sequence: ao (default), auc, op50, op75, precision, norm_precision",
    )
    parser.add_argument(
        "--filter",
        metavar="MODE:PERCENT",
        help="with --per-sequence: ao_min:50 (some tracker below), ao_max:50 (all below), "
        "delta_ao:20 (trackers differ by more)",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="add the published trackers of the paper, and plot them also beside a part of a set",
    )


def run(args: argparse.Namespace) -> int:
    """Write tables, then plots."""
    chosen = select(args)
    from ..analysis.comparison import compare

    data = compare(chosen.trackers, chosen.annotation, **chosen.options)
    tables = _tables(args, chosen, data)
    if args.format == "json":
        text = "[\n" + ",\n".join(table.to_json().rstrip() for table in tables) + "\n]\n"
    else:
        text = "\n".join(table.render(args.format) for table in tables)
    if args.output:
        from ..analysis.writing import write_text

        write_text(args.output, text)
        print(args.output)
    else:
        print(text, end="")
    if args.plots:
        for path in _plots(Path(args.plots), chosen, data, args.published):
            print(path, file=sys.stderr)
    return 0


def _tables(args: argparse.Namespace, chosen: Selection, data: Comparison) -> list[Table]:
    from ..analysis import summary
    from ..analysis.attributes import by_attribute
    from ..analysis.comparison import engines_note
    from ..analysis.eval_data import filter_sequences
    from ..analysis.tables import Table

    speed = _speeds(chosen, data)
    tables = [summary.summary_table(data, speed)]
    annotation, subpixel = chosen.annotation.only(data.sequences), chosen.options["subpixel"]
    if args.dataset.startswith("got10k"):
        tables.insert(0, summary.got10k_table(chosen.trackers, annotation, subpixel))
    if args.dataset.startswith("vot"):
        tables.insert(0, summary.vot_table(chosen.trackers, annotation, subpixel))
    if speed["fps"].notna().any():
        note = "seconds per frame as the runs recorded them, image decoding excluded"
        note += engines_note(chosen.trackers, data.sequences, data.dataset)
        tables.append(Table(speed, "Speed", note, digits=1, best=False))
    if chosen.attributes:
        frame = by_attribute(data, chosen.attributes)
        tables.append(Table(frame, "AUC per attribute", data.note, best=False))
    if args.per_sequence:
        frame = filter_sequences(data.per_sequence(args.per_sequence), _criteria(args.filter))
        title = f"{args.per_sequence.upper()} per sequence"
        tables.append(Table(frame, title, data.note, best=False))
    if args.published:
        table = summary.published_table(data, speed)
        if table is None:
            raise ParameterError(
                f"--published: there are no published figures for {args.dataset!r}; "
                "there are for otb, uav and nfs"
            )
        tables.append(table)
    return tables


def _speeds(chosen: Selection, data: Comparison) -> pd.DataFrame:
    from ..analysis import summary

    merged = chosen.options["merge_results"]
    return summary.speeds(chosen.trackers, data.sequences, merged, data.dataset)


def _criteria(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    mode, _, limit = text.partition(":")
    try:
        return {"mode": mode, "threshold": float(limit)}
    except ValueError as error:
        raise ParameterError(f"--filter {text!r}: expected MODE:PERCENT, e.g. ao_max:50") from error


def _plots(folder: Path, chosen: Selection, data: Comparison, anyway: bool) -> list[Path]:
    from ..analysis import summary
    from ..analysis.attributes import by_attribute
    from ..analysis.eval_data import draw_comparison
    from ..analysis.figures import draw_radar, save_figure

    figures = {f"{name}_plot": draw_comparison(data, kind) for kind, name in _PLOTS.items()}
    if len(chosen.attributes) >= 3:
        frame = by_attribute(data, chosen.attributes).iloc[:-1]
        figures["radar_plot"] = draw_radar(frame, f"AUC per attribute, {data.dataset}", data.note)
    figure = summary.speed_figure(data, _speeds(chosen, data), anyway)
    if figure is not None:
        figures["speed_plot"] = figure
    return [path for name, one in figures.items() for path in save_figure(one, folder / name)]
