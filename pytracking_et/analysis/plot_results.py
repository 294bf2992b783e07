"""pytracking's analysis functions under their names and arguments.

Trackers are objects with name, parameter_name, run_id, display_name, results_dir; data sets are
lists of sequences with name, ground_truth_rect, target_visible, dataset. Beyond pytracking:

* everything returns what it prints or draws, nothing blocks, no display is needed;
* figures are written as PDF, SVG and PNG to `<result_plot_path>/<report_name>/`;
* keyword `rule` ("pytracking", "ettrack", "lasot-toolkit") is stated on every table and plot;
* keyword `output` names another folder than result_plot_path, `subpixel=True` reads
  `_float.txt`, `formats` chooses the kinds of figure files, `look` their size and fonts
  (`looks.LOOKS`);
* the cache (eval_data.npz) is keyed by content, so changed files are never missed, and holds
  plain arrays: no pickle.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..boxtables import PathArgument
from ..errors import ParameterError, ResultsError
from ..files import read_json, reading
from ..names import printable
from ..settings import env_settings
from . import CallableModule
from .comparison import Comparison, annotate, compare, skipped_note, without_missing
from .eval_data import (
    by_attribute,
    filter_sequences,
    get_auc_curve,
    get_prec_curve,
    merge_multiple_runs,
)
from .figures import (
    CURVES,
    FORMATS,
    draw_comparison,
    draw_curves,
    draw_radar,
    plot_options,
    save_figure,
)
from .looks import LOOKS, Look, get_plot_draw_styles
from .metrics import Array
from .scoring import note as scoring_note
from .scoring import warn_visibility
from .tables import Table
from .trackers import describe, files_note, folder_of, labels_of, style_name
from .vot import score_longterm

__all__ = [
    "check_and_load_precomputed_results",
    "generate_formatted_report",
    "get_auc_curve",
    "get_plot_draw_styles",
    "get_prec_curve",
    "merge_multiple_runs",
    "plot_attributes_radar",
    "plot_got_success",
    "plot_results",
    "print_per_sequence_results",
    "print_results",
    "print_results_per_attribute",
]

_COLUMNS = {
    "success": ["auc", "op50", "op75"],
    "prec": ["precision"],
    "norm_prec": ["norm_precision"],
}


def plot_results(
    trackers: Sequence[Any],
    dataset: Iterable[Any],
    report_name: str,
    merge_results: bool = False,
    plot_types: str | Sequence[str] = ("success",),
    force_evaluation: bool = False,
    plot_opts: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, Figure]:
    """Draw curves and write them to the report's folder.

    Args:
        plot_types: of "success", "prec", "norm_prec", "f1_prec_rec".
        plot_opts: title, xlabel, ylabel, xlim, ylim, legend_loc; for all plot types.
        kwargs: of `compare` (skip_missing_seq, plot_bin_gap, exclude_invalid_frames, rule,
            subpixel), and output, formats, look.

    Returns:
        Plot type -> figure.

    Raises:
        ResultsError: as `compare`.
        DatasetError: as `compare`.
    """
    kinds = _kinds(plot_types)
    folder, files, options = output(report_name, kwargs)
    dataset = list(dataset)
    figures: dict[str, Figure] = {}
    usual = [kind for kind in kinds if kind in _COLUMNS]
    if usual:
        kwargs["force_evaluation"] = force_evaluation
        data = _evaluate(trackers, dataset, report_name, merge_results, kwargs)
        figures = {kind: draw_comparison(data, kind, plot_opts, files["look"]) for kind in usual}
    if "f1_prec_rec" in kinds:
        figures["f1_prec_rec"] = _draw_longterm(
            trackers, dataset, merge_results, options, plot_opts, files["look"]
        )
    for kind, figure in figures.items():
        save_figure(figure, folder / f"{CURVES.get(kind, kind)}_plot", **files)
    return figures


def print_results(
    trackers: Sequence[Any],
    dataset: Iterable[Any],
    report_name: str,
    merge_results: bool = False,
    plot_types: str | Sequence[str] = ("success",),
    **kwargs: Any,
) -> pd.DataFrame:
    """Print AUC, OP50, OP75 (success), precision, normalized precision; arguments as above.

    Returns:
        One row a tracker, percent.
    """
    data = _evaluate(trackers, dataset, report_name, merge_results, kwargs)
    kinds = _kinds(plot_types)
    columns = [name for kind in kinds for name in _COLUMNS.get(kind, [])]
    if "f1_prec_rec" in kinds:
        raise ParameterError(
            "f1_prec_rec has no row in this table; plot_results draws it with F in its legend"
        )
    table = Table(data.figures()[columns], f"Results of {report_name}", data.note)
    _show(table)
    return table.frame


def print_per_sequence_results(
    trackers: Sequence[Any],
    dataset: Iterable[Any],
    report_name: str,
    merge_results: bool = False,
    filter_criteria: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> pd.DataFrame:
    """Print the average overlap of each sequence and tracker, percent.

    Args:
        filter_criteria: {"mode": "ao_min" | "ao_max" | "delta_ao", "threshold": percent}: keep
            sequences whose lowest (highest) average overlap is below the threshold, or where
            trackers differ by more than it.

    Returns:
        One row a sequence, one column a tracker.
    """
    data = _evaluate(trackers, dataset, report_name, merge_results, kwargs)
    frame = filter_sequences(data.per_sequence("ao"), filter_criteria)
    table = Table(frame, f"Average overlap per sequence, {report_name}", data.note)
    _show(table)
    return frame


def plot_got_success(
    trackers: Sequence[Any],
    report_name: str,
    plot_opts: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Figure:
    """Draw GOT-10k success curves from the JSON files its server (or toolkit) returns.

    Args:
        trackers: whose reports lie at `<got_reports_path>/NAME_PARAM.json`; or paths of such.
    """
    reports = Path(kwargs.pop("got_reports_path", "") or env_settings().got_reports_path)
    folder, files, _ = output(report_name, kwargs)
    rows, names = [], []
    for tracker in trackers:
        shown = describe(tracker)
        named = f"{shown['name']}_{shown['param']}.json"
        path = Path(tracker) if isinstance(tracker, (str, Path)) else reports / named
        curve, ao = _got_report(path)
        rows.append((shown["label"], np.linspace(0, 1, len(curve)), 100 * curve, 100 * ao))
        names.append(style_name(shown))
    options = plot_options("success", {"title": "Success plot, GOT-10k", **(plot_opts or {})})
    note = "got10k_test, figures of the GOT-10k server; legend: AO"
    figure = draw_curves(rows, options, note, names=names, look=files["look"])
    save_figure(figure, folder / "success_plot", **files)
    return figure


def _got_report(path: Path) -> tuple[Array, float]:
    """Success curve (0..1) and AO of one report: {tracker: {"overall": {ao, succ_curve}}}."""
    advice = (
        'expected a GOT-10k report of one tracker, {"TRACKER": {"overall": {"ao": ..., '
        '"succ_curve": [...]}}} as its server returns it'
    )
    with reading(path, ResultsError, advice):
        (report,) = read_json(path, ResultsError, advice).values()
        report = report.get("overall", report)
        return np.asarray(report["succ_curve"], dtype=np.float64), float(report["ao"])


def generate_formatted_report(
    row_labels: Sequence[str], scores: Mapping[str, ArrayLike], table_name: str = ""
) -> str:
    """Text table: one row a label, one column a key of `scores`."""
    frame = pd.DataFrame(
        {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()},
        index=pd.Index(list(row_labels), name=table_name or None),
    )
    return Table(frame, table_name, "as given").to_text().replace("(as given)\n", "")


def check_and_load_precomputed_results(
    trackers: Sequence[Any],
    dataset: Iterable[Any],
    report_name: str,
    force_evaluation: bool = False,
    **kwargs: Any,
) -> dict[str, Any]:
    """Evaluate, or read eval_data.npz where all inputs are the same; pytracking's dictionary."""
    kwargs["force_evaluation"] = force_evaluation
    return _evaluate(trackers, dataset, report_name, False, kwargs).eval_data()


def _evaluate(
    trackers: Sequence[Any],
    dataset: Iterable[Any],
    report_name: str,
    merge_results: bool,
    kwargs: Mapping[str, Any],
) -> Comparison:
    folder, _, options = output(report_name, kwargs)
    cache = folder / "eval_data.npz"
    return compare(trackers, dataset, merge_results=merge_results, cache=cache, **options)


def _show(table: Table) -> None:
    """Print a table, with escapes for letters of names that the output's encoding lacks."""
    print(printable(table.to_text(), sys.stdout))


def _kinds(plot_types: str | Sequence[str]) -> list[str]:
    """Plot types as a list; ('prec') without its comma is a string and means that one type."""
    kinds = [plot_types] if isinstance(plot_types, str) else list(plot_types)
    for kind in kinds:
        plot_options(kind)
    return kinds


# Those of `compare`; a bin gap and excluded frames mean nothing to it.
_LONGTERM_OPTIONS = (
    "rule", "subpixel", "skip_missing_seq", "plot_bin_gap", "exclude_invalid_frames",
)  # fmt: skip


def _draw_longterm(
    trackers: Sequence[Any],
    dataset: Sequence[Any],
    merge_results: bool,
    options: Mapping[str, Any],
    plot_opts: Mapping[str, Any] | None,
    look: Look,
) -> Figure:
    unknown = sorted(options.keys() - _LONGTERM_OPTIONS)
    if unknown:
        raise ParameterError(
            f"f1_prec_rec has no option {unknown[0]!r}; one of: {', '.join(_LONGTERM_OPTIONS)}"
        )
    boxes: dict[str, list[Any]] = {}
    presence: dict[str, list[Any]] = {}
    names: dict[str, str] = {}
    annotation = annotate(dataset, options.get("rule", "pytracking"))
    subpixel = options.get("subpixel", False)
    skipped: list[str] = []
    folders = [folder_of(tracker, annotation.dataset) for tracker in trackers]
    if options.get("skip_missing_seq", False):
        annotation, skipped = without_missing(annotation, folders, subpixel)
    every, labels = list(annotation.truth), labels_of(trackers, merge_results)
    for label, tracker, folder in zip(labels, trackers, folders, strict=True):
        boxes.setdefault(label, []).append(folder.boxes(every, subpixel))
        presence.setdefault(label, []).append(folder.presence(every))
        names[label] = style_name(describe(tracker))
    scores = {
        label: score_longterm(runs, presence[label], annotation) for label, runs in boxes.items()
    }
    rows = [
        (label, one.recall, one.precision, 100 * float(one.f[one.index]))
        for label, one in scores.items()
    ]
    warn_visibility(annotation)
    note = f"{scoring_note(annotation)}; legend: highest F [%]"
    note += files_note(trackers, every, annotation.dataset, subpixel) + skipped_note(skipped)
    shown = plot_options("f1_prec_rec", plot_opts)
    return draw_curves(rows, shown, note, names=list(names.values()), look=look)


sys.modules[__name__].__class__ = CallableModule


def _attribute_table(
    trackers: Sequence[Any],
    datasets_dict: Mapping[str, Iterable[Any]],
    merge_results: bool,
    **kwargs: Any,
) -> tuple[pd.DataFrame, Comparison]:
    """AUC: one row an attribute (and "ALL"), one column a tracker, percent; and all there is.

    Args:
        datasets_dict: attribute -> sequences; a sequence with several attributes is scored once.
    """
    groups = {name: list(sequences) for name, sequences in datasets_dict.items()}
    every = {one.name: one for sequences in groups.values() for one in sequences}
    data = compare(trackers, list(every.values()), merge_results=merge_results, **kwargs)
    names = {name: [one.name for one in sequences] for name, sequences in groups.items()}
    return by_attribute(data, names), data


def print_results_per_attribute(
    trackers: Sequence[Any],
    datasets_dict: Mapping[str, Iterable[Any]],
    report_name: str,
    merge_results: bool = False,
    **kwargs: Any,
) -> pd.DataFrame:
    """Print the AUC of each attribute; the number of its sequences stands in brackets."""
    _, _, options = output(report_name, kwargs)
    frame, data = _attribute_table(trackers, datasets_dict, merge_results, **options)
    _show(Table(frame, f"AUC per attribute, {report_name}", data.note))
    return frame


def plot_attributes_radar(
    trackers: Sequence[Any],
    datasets_dict: Mapping[str, Iterable[Any]],
    report_name: str,
    merge_results: bool = False,
    **kwargs: Any,
) -> Figure:
    """Draw the AUC of each attribute as a radar plot (radar_plot.pdf, .svg, .png)."""
    folder, files, options = output(report_name, kwargs)
    frame, data = _attribute_table(trackers, datasets_dict, merge_results, **options)
    title = f"AUC per attribute [%], {report_name}"
    figure = draw_radar(frame.iloc[:-1], title, data.note, data.names, files["look"])
    save_figure(figure, folder / "radar_plot", **files)
    return figure


def output(
    report_name: str, kwargs: Mapping[str, Any]
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Folder `<result_plot_path>/<report_name>`, of `save_figure`, and what is for `compare`."""
    options = dict(kwargs)
    # pytracking's switch for a progress bar; reading takes less time than drawing one.
    options.pop("verbose", None)
    files = {
        "formats": options.pop("formats", FORMATS),
        "look": options.pop("look", LOOKS["screen"]),
    }
    chosen: PathArgument | None = options.pop("output", None)
    return Path(chosen or env_settings().result_plot_path) / report_name, files, options
