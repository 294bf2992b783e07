"""One self-contained HTML page: tables, interactive plots, film strips, failures, manifest."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...boxtables import PathArgument
from .. import metrics, summary
from ..comparison import Comparison, annotate, compare
from ..eval_data import by_attribute, get_auc_curve, get_prec_curve
from ..figures import get_plot_draw_styles
from ..metrics import CENTER_THRESHOLDS, NORM_THRESHOLDS, Annotation
from ..strips import SequenceResult, film_strip, pick, timeline
from ..tables import Table, write_text
from ..trackers import engines_note, folder_of, labels_of
from .page import render

# More lines than this over one picture hide the target.
_DRAWN = 4


__all__ = ["write_report"]


def write_report(
    trackers: Sequence[Any],
    dataset: Iterable[Any] | Annotation,
    path: PathArgument,
    rule: str = "pytracking",
    *,
    sequences: Iterable[Any] = (),
    attributes: Mapping[str, Iterable[str]] | None = None,
    title: str | None = None,
    count: int = 4,
    pictures: int = 8,
    published: bool = False,
    **options: Any,
) -> Path:
    """Write the report.

    Args:
        trackers: as `compare`; best and worst sequences and film strips are those of the first.
        dataset: sequence objects, or a prepared Annotation (then `sequences` bring the frames).
        path: the .html file. It refers to nothing else: no network, no other file.
        sequences: objects with name and frames, for the film strips; taken from `dataset` where
            that holds sequence objects. Without frames there are timelines only.
        attributes: attribute -> names of sequences.
        count: best and worst sequences shown.
        pictures: frames in each strip.
        options: of `compare` (skip_missing_seq, merge_results, subpixel, ...).

    Raises:
        ResultsError: as `compare`.
        DatasetError: as `compare`.
    """
    if isinstance(dataset, Annotation):
        annotation = dataset
    else:
        sequences = list(dataset)
        annotation = annotate(sequences, rule)
    content = build(
        trackers, annotation, sequences, attributes or {}, options, count, pictures, published
    )
    target = Path(path)
    write_text(target, render(content, title))
    return target


def series_styles(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Label, colour and dash of each tracker; black is grey here, for dark pages."""
    dashes = {"-": "", "--": "7 4", "-.": "7 3 2 3", ":": "2 3"}
    styles = get_plot_draw_styles()
    return [
        {
            "label": label,
            "color": styles[i % len(styles)]["color"].replace("#000000", "#808080"),
            "dash": dashes[styles[i % len(styles)]["line_style"]],
        }
        for i, label in enumerate(labels)
    ]


def curve_plots(data: Comparison) -> list[dict[str, Any]]:
    """Success, precision and normalised precision, percent over thresholds."""
    valid = np.ones(len(data.sequences), bool)
    plots = (
        ("Success", "IoU threshold", data.thresholds, get_auc_curve(data.success, valid), "AUC"),
        (
            "Precision", "centre error threshold, px", CENTER_THRESHOLDS,
            get_prec_curve(data.precision, valid), "at 20 px",
        ),
        (
            "Normalised precision", "normalised error threshold", NORM_THRESHOLDS,
            get_prec_curve(data.norm_precision, valid), "at 0.2",
        ),
    )  # fmt: skip
    return [
        {
            "title": title,
            "xlabel": xlabel,
            "ylabel": "frames, %",
            "x": [round(float(v), 4) for v in x],
            "y": [[round(float(v), 2) for v in row] for row in y],
            "figure": [round(float(v), 1) for v in figure],
            "figureName": name,
        }
        for title, xlabel, x, (y, figure), name in plots
    ]


def speed_plot(data: Comparison, speed: pd.DataFrame, column: str | None) -> dict[str, Any] | None:
    """Published trackers and runs with a known speed; None where there is nothing to compare."""
    if column is None:
        return None
    paper = summary.published_figures()
    auc = data.figures()["auc"]
    runs = [
        {"label": label, "x": round(float(fps), 1), "y": round(float(auc[label]), 1)}
        for label in data.labels
        if np.isfinite(fps := speed["fps"].get(label, np.nan))
    ]
    points = [
        {"label": str(name), "x": float(row["CPU fps"]), "y": float(row[column])}
        for name, row in paper.iterrows()
    ]
    return {
        "published": points,
        "runs": runs,
        "title": f"Accuracy against speed, {column}",
        "caveat": summary.caveat(column, len(data.sequences)).rstrip("; "),
    }


def gather_sequences(
    trackers: Sequence[Any],
    annotation: Annotation,
    data: Comparison,
    frames: Mapping[str, Sequence[Any]],
    count: int,
    pictures: int,
    subpixel: bool,
) -> tuple[list[dict[str, Any]], pd.Series]:
    """Best and worst sequences of the first tracker, and its share of lost frames everywhere."""
    labels = labels_of(trackers)[:_DRAWN]
    shown = annotation.only(data.sequences)
    boxes, overlaps = [], []
    for one in trackers[:_DRAWN]:
        with warnings.catch_warnings():
            # `compare` has said already what it had to say of these files.
            warnings.simplefilter("ignore")
            given = folder_of(one, shown.dataset).boxes(shown.truth, subpixel)
        aligned = metrics.align(given, shown).boxes
        boxes.append(aligned)
        overlaps.append(metrics.frame_errors(aligned, shown).overlap)
    sequences = len(shown.truth)
    lost = np.bincount(shown.owner, overlaps[0] == 0, sequences)
    share = 100 * lost / np.maximum(shown.valid_counts(), 1)
    average = dict(zip(data.sequences, data.average_overlap[:, 0].tolist(), strict=True))
    best, worst = pick(average, count)
    colors = [style["color"] for style in series_styles(labels)]
    rows = []
    for kind, names in (("worst", worst), ("best", best)):
        for name in names:
            i = shown.truth.names.index(name)
            part = slice(int(shown.truth.offsets[i]), int(shown.truth.offsets[i + 1]))
            result = SequenceResult(
                name,
                shown.truth.boxes[part],
                shown.valid[part],
                np.stack([one[part] for one in boxes]),
                np.stack([one[part] for one in overlaps]),
                frames.get(name, ()),
            )
            rows.append(
                {
                    "name": name,
                    "kind": kind,
                    "ao": round(100 * average[name], 1),
                    "lost": round(float(share[i]), 1),
                    "strip": film_strip(result, colors, pictures),
                    "timeline": timeline(result, labels),
                }
            )
    return rows, pd.Series(share, index=list(shown.truth.names))


def build(
    trackers: Sequence[Any],
    annotation: Annotation,
    sequences: Iterable[Any],
    attributes: Mapping[str, Iterable[str]],
    options: Mapping[str, Any],
    count: int,
    pictures: int,
    anyway: bool = False,
) -> dict[str, Any]:
    """Everything the page shows: tables (Table) and values for the scripts.

    Args:
        anyway: published trackers also beside a run on a part of the data set.
    """
    data = compare(trackers, annotation, **options)
    labels = labels_of(trackers)
    merged = bool(options.get("merge_results"))
    speed = summary.speeds(trackers, data.sequences, merged, data.dataset)
    frames = {str(one.name): one.frames for one in sequences}
    details, lost = gather_sequences(
        trackers, annotation, data, frames, count, pictures, bool(options.get("subpixel"))
    )
    per_sequence = data.per_sequence("ao")
    first = labels[0]
    per_sequence.insert(0, "frames", data.frames)
    per_sequence[f"lost, {first}"] = lost
    tables = {"summary": summary.summary_table(data, speed)}
    if speed["fps"].notna().any():
        note = "seconds per frame as recorded by the runs; image decoding excluded"
        note += engines_note(trackers, data.sequences, data.dataset)
        tables["speed"] = Table(speed, "Speed", note, digits=1, best=False)
    column = summary.column_for(data.dataset, len(data.sequences), anyway)
    among = summary.published_table(data, speed) if column else None
    if among is not None:
        tables["published"] = among
    if attributes:
        frame = by_attribute(data, attributes)
        tables["attributes"] = Table(frame, "AUC per attribute", data.note, 1, best=False)
    tables["sequences"] = Table(
        per_sequence, "Mean IoU by sequence, %", data.note, 1, best=False,
        meanings={f"lost, {first}": "share of frames with IoU 0, %"},
    )  # fmt: skip
    return {
        "comparison": data,
        "tables": tables,
        "manifests": {
            label: folder_of(one).manifest() for label, one in zip(labels, trackers, strict=True)
        },
        "values": {
            "styles": series_styles(data.labels),
            "plots": curve_plots(data),
            "speed": speed_plot(data, speed, column),
            "sequences": details,
            "drawn": series_styles(labels[:_DRAWN]),
            "first": first,
        },
    }
