"""`ettrack results` and `ettrack report`: tables, plots and a page from result files."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.rules import RULES, family
from ..errors import DatasetError, ParameterError
from .arguments import add_dataset_root_argument, add_results_argument, path_text

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.comparison import Comparison
    from ..analysis.metrics import Annotation
    from ..analysis.tables import Table
    from ..analysis.trackers import ResultTracker


def results_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack results`."""
    add = parser.add_argument
    add_selection(parser)
    add(
        "--format", default="text", choices=("text", "md", "latex", "csv", "json"), help="of tables"
    )
    add("--output", type=path_text, metavar="FILE", help="write tables there, not to the terminal")
    plots = parser.add_argument_group("plots")
    plots.add_argument(
        "--plots", type=path_text, metavar="DIR", help="write plots there as PDF, SVG and PNG"
    )
    plots.add_argument(
        "--for",
        dest="purpose",
        default="screen",
        choices=("screen", "paper", "slide"),
        help="size and fonts; paper: one column wide, without title and note, which belong into "
        "the caption (each file's metadata has the note)",
    )
    plots.add_argument(
        "--size", type=_inches, metavar="WxH", help="width and height in inches, e.g. 3.4x2.6"
    )
    plots.add_argument(
        "--font", metavar="NAME", help="serif, or a font of this machine by its name"
    )
    plots.add_argument("--no-title", action="store_true", help="plots without the data set's name")
    add(
        "--per-sequence",
        nargs="?",
        const="ao",
        metavar="FIGURE",
        help="add a table by sequence: ao (default), auc, op50, op75, precision, norm_precision",
    )
    add(
        "--filter",
        metavar="MODE:PERCENT",
        help="with --per-sequence: ao_min:50 (some tracker below), ao_max:50 (all below), "
        "delta_ao:20 (trackers differ by more)",
    )
    add(
        "--published",
        action="store_true",
        help="add the published trackers of the paper, and a plot of accuracy against speed",
    )


def results(args: argparse.Namespace) -> int:
    """Write tables, then plots."""
    _refuse_idle(args)
    chosen = select(args)
    from ..analysis.comparison import compare
    from ..analysis.summary import speeds
    from ..analysis.tables import to_csv

    data = compare(chosen.trackers, chosen.annotation, **chosen.options)
    merged = chosen.options["merge_results"]
    speed = speeds(chosen.trackers, data.sequences, merged, data.dataset)
    tables = _tables(args, chosen, data, speed)
    if args.format == "csv":
        text = to_csv(tables)
    elif args.format == "json":
        text = "[\n" + ",\n".join(table.to_json().rstrip() for table in tables) + "\n]\n"
    else:
        text = "\n".join(table.render(args.format) for table in tables)
    if args.output:
        from ..analysis.tables import write_text

        write_text(args.output, text)
        print(args.output)
    else:
        print(text, end="")
    if args.plots:
        for path in _plots(args, chosen, data, speed):
            print(path, file=sys.stderr)
    return 0


def _refuse_idle(args: argparse.Namespace) -> None:
    """Options that would do nothing: what was asked for would be missing without a word."""
    if args.filter is not None and not args.per_sequence:
        raise ParameterError(f"--filter {args.filter} filters the table of --per-sequence: add it")
    given = {
        "--for": args.purpose != "screen",
        "--size": args.size,
        "--font": args.font,
        "--no-title": args.no_title,
    }
    idle = [name for name, asked in given.items() if asked]
    if idle and not args.plots:
        raise ParameterError(f"{', '.join(idle)} shape(s) plots: add --plots DIR")


def _inches(text: str) -> tuple[float, float]:
    width, _, height = text.lower().partition("x")
    try:
        return float(width), float(height)
    except ValueError as error:
        message = f"{text!r}: expected WIDTHxHEIGHT in inches, e.g. 3.4x2.6"
        raise argparse.ArgumentTypeError(message) from error


def _tables(
    args: argparse.Namespace, chosen: Selection, data: Comparison, speed: pd.DataFrame
) -> list[Table]:
    from ..analysis import summary
    from ..analysis.eval_data import by_attribute, filter_sequences
    from ..analysis.tables import Table
    from ..analysis.trackers import engines_note

    tables = [summary.summary_table(data, speed)]
    annotation, subpixel = chosen.annotation.only(data.sequences), chosen.options["subpixel"]
    kind = family(data.dataset)
    if kind == "got10k":
        got10k = summary.got10k_table(chosen.trackers, annotation, subpixel, chosen.sequences)
        tables.insert(0, got10k)
    if kind == "vot":
        try:
            tables.insert(0, summary.vot_table(chosen.trackers, annotation, subpixel))
        except DatasetError as error:
            # The other tables need no long sequences.
            print(f"no VOT figures: {error}", file=sys.stderr)
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
            raise _unpublished(data.dataset)
        tables.append(table)
    return tables


def _unpublished(dataset: str) -> ParameterError:
    return ParameterError(
        f"--published: there are no published figures for {dataset!r}; there are for otb, uav and "
        "nfs"
    )


def _criteria(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    mode, _, limit = text.partition(":")
    try:
        return {"mode": mode, "threshold": float(limit)}
    except ValueError as error:
        raise ParameterError(f"--filter {text!r}: expected MODE:PERCENT, e.g. ao_max:50") from error


def _plots(
    args: argparse.Namespace, chosen: Selection, data: Comparison, speed: pd.DataFrame
) -> list[Path]:
    from ..analysis import summary
    from ..analysis.eval_data import by_attribute
    from ..analysis.figures import CURVES, draw_comparison, draw_radar, save_figure
    from ..analysis.looks import LOOKS

    look = LOOKS[args.purpose]
    look = replace(
        look,
        size=args.size or look.size,
        font=args.font,
        title=look.title and not args.no_title,
    )
    figures = {
        f"{name}_plot": draw_comparison(data, kind, look=look) for kind, name in CURVES.items()
    }
    frame = by_attribute(data, chosen.attributes).iloc[:-1]  # without those of no sequence
    if len(frame) >= 3:
        title = f"AUC per attribute, {data.dataset}"
        figures["radar_plot"] = draw_radar(frame, title, data.note, data.names, look)
    if args.published:
        figure = summary.speed_figure(data, speed, look)
        if figure is not None:
            figures["speed_plot"] = figure
    return [
        path
        for name, one in figures.items()
        for path in save_figure(one, Path(args.plots) / name, look=look)
    ]


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack report`."""
    add = parser.add_argument
    add_selection(parser)
    add(
        "--output",
        type=path_text,
        default="report.html",
        metavar="FILE",
        help="(default report.html)",
    )
    add("--title", help="heading of the page")
    add(
        "--focus",
        metavar="LABEL",
        help="tracker whose best and worst sequences are shown (default: the first)",
    )
    add("--count", type=int, default=4, metavar="N", help="best and worst sequences (default 4)")
    add("--pictures", type=int, default=8, metavar="N", help="frames of each (default 8)")
    add(
        "--published",
        action="store_true",
        help="show the published trackers of the paper also beside a part of a data set, and plot "
        "accuracy against speed",
    )


def report(args: argparse.Namespace) -> int:
    """Write the page and print its path."""
    for name in ("count", "pictures"):
        if getattr(args, name) < 1:
            raise ParameterError(f"--{name} {getattr(args, name)}: give at least 1")
    chosen = select(args)
    from ..analysis.summary import column_of

    if args.published and column_of(chosen.annotation.dataset) is None:
        raise _unpublished(chosen.annotation.dataset)
    from ..analysis.report import write_report

    path = write_report(
        chosen.trackers,
        chosen.annotation,
        args.output,
        sequences=chosen.sequences,
        attributes=chosen.attributes,
        title=args.title,
        count=args.count,
        pictures=args.pictures,
        published=args.published,
        focus=args.focus,
        **chosen.options,
    )
    print(path)
    return 0


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `select` reads."""
    add = parser.add_argument
    add(
        "dataset",
        nargs="?",
        help="data set name (otb, uav, lasot, ...), or the path of a folder of frames",
    )
    add("--dataset", dest="named", metavar="NAME|PATH", help="the same, as `run` takes it")
    add(
        "--trackers",
        nargs="+",
        default=[],
        metavar="[LABEL=]NAME:PARAM[:RUN]",
        help="trackers or result folders (default: all below --results); runs: NAME:PARAM:0-2",
    )
    add_results_argument(parser)
    add_dataset_root_argument(parser)
    add(
        "--ground-truth",
        metavar="DIR",
        help="folder of <sequence>.txt annotations, instead of the data set's own",
    )
    add(
        "--visibility",
        metavar="PATH",
        help="with --ground-truth: JSON of absent intervals, or a LaSOT root",
    )
    add(
        "--attributes",
        nargs="?",
        const="",
        metavar="JSON",
        help="figures per attribute: those in the data set's folder, or a file "
        '{"order": [codes], "sequences": {name: [codes]}}',
    )
    add("--rule", default="pytracking", choices=RULES, help="which frames are valid")
    add("--skip-missing", action="store_true", help="leave out sequences that a tracker lacks")
    add("--merge-runs", action="store_true", help="average the runs of one tracker")
    add("--subpixel", action="store_true", help="prefer <sequence>_float.txt (sub-pixel boxes)")
    add(
        "--exclude-invalid-frames",
        action="store_true",
        help="take frames without a valid annotation out of every count",
    )


@dataclass(frozen=True)
class Selection:
    """What the arguments name.

    Attributes:
        trackers: result folders.
        annotation: ground truth under the rule.
        sequences: the data set's sequence objects, empty with --ground-truth.
        options: keywords of `analysis.compare`.
        attributes: attribute -> names of sequences; empty where none were given.
    """

    trackers: list[ResultTracker]
    annotation: Annotation
    sequences: list[Any]
    options: dict[str, Any]
    attributes: dict[str, list[str]]


def select(args: argparse.Namespace) -> Selection:
    """Find trackers and ground truth."""
    from ..analysis.rules import refuse_hidden
    from ..analysis.trackers import find_trackers

    if args.dataset and args.named and args.dataset != args.named:
        raise ParameterError(f"two data sets, {args.dataset!r} and {args.named!r}; give one")
    args.dataset = args.dataset or args.named
    if args.dataset is None:
        raise ParameterError("which data set? Name it: `otb`, or `--dataset otb` as for `run`")
    refuse_hidden(args.dataset)
    annotation, sequences = _ground_truth(args)
    results = args.results
    if results is None:
        from ..evaluation import env_settings

        results = env_settings().results_path
    options = {
        "merge_results": args.merge_runs,
        "skip_missing_seq": args.skip_missing,
        "subpixel": args.subpixel,
        "exclude_invalid_frames": args.exclude_invalid_frames,
    }
    trackers = find_trackers(results, args.trackers)
    if not args.trackers:
        trackers = _with_results(trackers, annotation)
    return Selection(trackers, annotation, sequences, options, _attributes(args, annotation))


def _with_results(trackers: list[ResultTracker], annotation: Annotation) -> list[ResultTracker]:
    """Of all that were found those that have any of the sequences; says which have none.

    One that was run on another data set alone would be an error of missing sequences. All, where
    none has any: the error then says what is missing.
    """
    from ..analysis.comparison import with_boxes
    from ..analysis.trackers import folder_of

    names = annotation.truth
    kept = [one for one in trackers if with_boxes(folder_of(one, annotation.dataset), names, True)]
    kept = kept or trackers
    for one in trackers:
        if one not in kept:
            print(f"{one.results_dir} has no result on {annotation.dataset}", file=sys.stderr)
    return kept


def _attributes(args: argparse.Namespace, annotation: Annotation) -> dict[str, list[str]]:
    if args.attributes is None:
        return {}
    if args.attributes:
        from ..analysis.eval_data import read_attributes

        return read_attributes(args.attributes, annotation.truth)
    if args.ground_truth:
        raise ParameterError("--attributes with --ground-truth needs the name of a JSON file")
    from ..evaluation import get_dataset_attributes

    groups = get_dataset_attributes(args.dataset, root=args.dataset_root)
    return {code: [one.name for one in sequences] for code, sequences in groups.items()}


def _ground_truth(args: argparse.Namespace) -> tuple[Annotation, list[Any]]:
    from ..analysis.comparison import annotate
    from ..analysis.metrics import Annotation
    from ..analysis.readers import read_ground_truth, read_visibility

    if args.ground_truth:
        if args.dataset_root:
            raise ParameterError(
                f"--ground-truth {args.ground_truth} and --dataset-root {args.dataset_root} both "
                "name annotations; give one"
            )
        visible = read_visibility(args.visibility) if args.visibility else None
        truth = read_ground_truth(args.ground_truth)
        return Annotation.build(truth, args.dataset, args.rule, visible), []
    if args.visibility:
        raise ParameterError(
            "--visibility goes with --ground-truth; a data set brings its own flags"
        )
    from ..evaluation import get_dataset

    sequences = list(get_dataset(args.dataset, root=args.dataset_root))
    return annotate(sequences, args.rule), sequences
