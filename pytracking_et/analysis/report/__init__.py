"""One self-contained HTML page: tables, interactive plots, film strips, failures, manifest."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...boxtables import PathArgument
from ...errors import DatasetError, ParameterError
from .. import metrics, summary
from ..comparison import Comparison, annotate, compare
from ..eval_data import by_attribute, mean_curves
from ..looks import tracker_styles
from ..metrics import Annotation
from ..strips import SequenceResult, film_strip, pick, timeline
from ..tables import Table, write_text
from ..trackers import describe, engines_note, folder_of, labels_of, style_name
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
    focus: str | None = None,
    **options: Any,
) -> Path:
    """Write the report.

    Args:
        trackers: as `compare`.
        dataset: sequence objects, or a prepared Annotation (then `sequences` bring the frames).
        path: the .html file. It refers to nothing else: no network, no other file.
        sequences: objects with name and frames, for the film strips; taken from `dataset` where
            that holds sequence objects. Without frames there are timelines only.
        attributes: attribute -> names of sequences.
        count: best and worst sequences shown.
        pictures: frames in each strip.
        published: the paper's trackers also beside a run on a part of the data set, and a plot of
            accuracy against speed.
        focus: label of the tracker whose best and worst sequences and film strips are shown; None:
            the first.
        options: of `compare` (skip_missing_seq, merge_results, subpixel, ...).

    Raises:
        ResultsError: as `compare`.
        DatasetError: as `compare`, and where no frame counts.
    """
    if isinstance(dataset, Annotation):
        annotation = dataset
    else:
        sequences = list(dataset)
        annotation = annotate(sequences, rule)
    data = compare(trackers, annotation, **options)
    if not np.isfinite(data.figures()["auc"]).any():
        raise DatasetError(f"no frame of {data.dataset!r} counts; nothing can be shown of it")
    labels = labels_of(trackers)
    merged, subpixel = (bool(options.get(name)) for name in ("merge_results", "subpixel"))
    rows = labels_of(trackers, merged)
    drawn = _focused(rows, focus)[:_DRAWN]
    average = data.average_overlap[:, data.labels.index(rows[drawn[0]])]
    details, lost = _sequences(
        [trackers[i] for i in drawn],
        [labels[i] for i in drawn],
        annotation.only(data.sequences),
        dict(zip(data.sequences, average.tolist(), strict=True)),
        {str(one.name): one.frames for one in sequences},
        count,
        pictures,
        subpixel,
    )
    speed = summary.speeds(trackers, data.sequences, merged, data.dataset)
    column = summary.column_for(data.dataset, len(data.sequences), published)
    content = {
        "comparison": data,
        "tables": _tables(trackers, data, speed, column, attributes or {}, lost),
        "manifests": {
            label: folder_of(one).content for label, one in zip(labels, trackers, strict=True)
        },
        "values": {
            "styles": series_styles(data.labels, data.names),
            "plots": curve_plots(data),
            "speed": speed_plot(data, speed, column) if published else None,
            "sequences": details,
            "drawn": series_styles(
                [labels[i] for i in drawn], [style_name(describe(trackers[i])) for i in drawn]
            ),
            "first": labels[drawn[0]],
        },
    }
    target = Path(path)
    write_text(target, render(content, title))
    return target


def series_styles(labels: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
    """Label, color and dash of each tracker; black is gray here, for dark pages."""
    dashes = {"-": "", "--": "7 4", "-.": "7 3 2 3", ":": "2 3"}
    return [
        {
            "label": label,
            "color": style["color"].replace("#000000", "#808080"),
            "dash": dashes[line] if isinstance(line, str) else " ".join(map(str, line[1])),
        }
        for label, style in zip(labels, tracker_styles(names), strict=True)
        for line in (style["line_style"],)
    ]


def curve_plots(data: Comparison) -> list[dict[str, Any]]:
    """Success, precision and normalized precision, percent over thresholds."""
    plots = (
        ("success", "Success", "IoU threshold", "AUC"),
        ("prec", "Precision", "center error threshold, px", "at 20 px"),
        ("norm_prec", "Normalized precision", "normalized error threshold", "at 0.2"),
    )
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
        for kind, title, xlabel, name in plots
        for x, y, figure in (mean_curves(data, kind),)
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


def _sequences(
    trackers: Sequence[Any],
    labels: Sequence[str],
    shown: Annotation,
    average: Mapping[str, float],
    frames: Mapping[str, Sequence[Any]],
    count: int,
    pictures: int,
    subpixel: bool,
) -> tuple[list[dict[str, Any]], pd.Series]:
    """Best and worst sequences of the first tracker, and its share of lost frames everywhere.

    Args:
        average: mean IoU of the first tracker by sequence, which says what is best and worst.
    """
    boxes, overlaps = [], []
    for one in trackers:
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
    best, worst = pick(average, count)
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
                    "strip": film_strip(result, pictures),
                    "timeline": timeline(result, labels),
                }
            )
    return rows, pd.Series(share, list(shown.truth.names), name=f"lost, {labels[0]}")


def _tables(
    trackers: Sequence[Any],
    data: Comparison,
    speed: pd.DataFrame,
    column: str | None,
    attributes: Mapping[str, Iterable[str]],
    lost: pd.Series,
) -> dict[str, Table]:
    """Tables of the page; `lost`: of the tracker in focus, by sequence, under the name it has."""
    tables = {"summary": summary.summary_table(data, speed)}
    if speed["fps"].notna().any():
        note = "seconds per frame as recorded by the runs; image decoding excluded"
        note += engines_note(trackers, data.sequences, data.dataset)
        tables["speed"] = Table(speed, "Speed", note, digits=1, best=False)
    if column and (among := summary.published_table(data, speed)):
        tables["published"] = among
    if attributes:
        frame = by_attribute(data, attributes)
        tables["attributes"] = Table(frame, "AUC per attribute", data.note, 1, best=False)
    per_sequence = data.per_sequence("ao")
    # A tracker may be called so.
    length = "frames" if "frames" not in per_sequence else "length in frames"
    per_sequence.insert(0, length, data.frames)
    per_sequence[lost.name] = lost
    tables["sequences"] = Table(
        per_sequence, "Mean IoU by sequence, %", data.note, 1, best=False,
        meanings={str(lost.name): "share of frames with IoU 0, %"},
    )  # fmt: skip
    return tables


def _focused(labels: Sequence[str], focus: str | None) -> list[int]:
    """Indices of the trackers, the one in focus first.

    Raises:
        ParameterError: no such label; lists what there is.
    """
    if focus is not None and focus not in labels:
        raise ParameterError(f"no tracker {focus!r} in the report; one of: {', '.join(labels)}")
    first = 0 if focus is None else labels.index(focus)
    return [first, *(i for i in range(len(labels)) if i != first)]
