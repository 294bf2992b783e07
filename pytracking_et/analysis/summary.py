"""The tables people look at first: of a run, of several trackers, and the published figures.

Published figures (published.json; WACV 2023, arXiv 2112.09686) show where a run stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import DatasetError, ImageError, ParameterError, ResultsError
from ..results.names import plain_dataset
from .comparison import Comparison
from .figures import draw_speed
from .looks import LOOKS, Look
from .metrics import Annotation, Array
from .readers import BoxSet
from .scoring import score, score_got10k
from .tables import Table
from .trackers import ResultFolder, files_note, folder_of, labels_of
from .vot import score_from_start

TABLES = ("trackers", "components", "exemplars", "queries", "backbones", "modules")


@cache
def _content() -> dict[str, Any]:
    text = (files(__package__) / "published.json").read_text(encoding="utf-8")
    return json.loads(text)


def published_figures(table: str = "trackers") -> pd.DataFrame:
    """One table of the paper: AUC in percent (and "CPU fps" in "trackers").

    Args:
        table: "trackers" (the twelve trackers), "components", "exemplars", "queries",
            "backbones" or "modules".
    """
    if table not in TABLES:
        raise ParameterError(f"unknown published table {table!r}; one of: {', '.join(TABLES)}")
    content = _content()[table]
    index = pd.Index(content["rows"], name="tracker" if table == "trackers" else table)
    rows = list(content["rows"].values())
    return pd.DataFrame(rows, index=index, columns=content["columns"], dtype=float)


def source() -> str:
    """Where the figures are from, and what they are."""
    return f"{_content()['source']}; {_content()['note']}"


# Sequences behind each published column: a run on fewer is another benchmark.
_SEQUENCES = {"OTB-100": 100, "UAV-123": 123, "NFS": 100}


def caveat(column: str, sequences: int) -> str:
    """What to say where a run is not on the whole data set; empty where it is."""
    whole = _SEQUENCES[column]
    if sequences == whole:
        return ""
    return f"NOT COMPARABLE: this run is on {sequences} sequences, published figures on {whole}; "


def column_for(dataset: str, sequences: int, anyway: bool) -> str | None:
    """`column_of` where a run of so many sequences is on the whole data set, or asked `anyway`."""
    column = column_of(dataset)
    return column if column and (anyway or not caveat(column, sequences)) else None


def column_of(dataset: str) -> str | None:
    """Column of the twelve-tracker table that belongs to a data set, or None.

    UAV123@10fps has none: the published figures are of the 30 fps frames.
    """
    names = {"otb": "OTB-100", "otb100": "OTB-100", "nfs": "NFS", "nfs30": "NFS"}
    names |= {"uav": "UAV-123", "uav123": "UAV-123"}
    return names.get(plain_dataset(dataset))


def fps_statistics(times: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Speed of one run, from `_time.txt` files (seconds per frame, decoding excluded).

    The first frame of a sequence is the initialization and is stated apart. The mean is tracked
    frames over total time: the mean of 1 / time would let a few fast frames outweigh slow ones.

    Args:
        times: sequence -> (frames,) seconds.

    Returns:
        fps, median_fps, slow_fps (95th percentile of the frame time), init_ms; NaN where there
        are no times.

    Raises:
        ResultsError: a time that is negative or not finite, with its sequence and row.
    """
    tracked: list[np.ndarray] = []
    first: list[float] = []
    for name, values in times.items():
        seconds = np.asarray(values, dtype=np.float64).reshape(-1)
        bad = np.flatnonzero(~np.isfinite(seconds) | (seconds < 0))
        if bad.size:
            raise ResultsError(
                f"time of sequence {name!r}, row {bad[0] + 1}: {seconds[bad[0]]} is no duration"
            )
        first.extend(seconds[:1])
        tracked.append(seconds[1:])
    frames = np.concatenate(tracked) if tracked else np.zeros(0)
    nan = float("nan")
    init = 1000 * float(np.median(first)) if first else nan
    if not frames.size or frames.sum() <= 0:
        return {"fps": nan, "median_fps": nan, "slow_fps": nan, "init_ms": init}
    with np.errstate(divide="ignore"):
        median, slow = 1 / np.percentile(frames, [50, 95])
    return {
        "fps": frames.size / float(frames.sum()),
        "median_fps": float(median),
        "slow_fps": float(slow),
        "init_ms": init,
    }


def speed_table(times: Mapping[str, Mapping[str, ArrayLike]]) -> pd.DataFrame:
    """`fps_statistics` of several trackers: one row each."""
    return _by_tracker({label: fps_statistics(one) for label, one in times.items()})


def _by_tracker(rows: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("tracker")


def speeds(
    trackers: Sequence[Any], names: Iterable[str], merged: bool = False, dataset: str = ""
) -> pd.DataFrame:
    """Speed of each tracker from its `_time.txt` files; NaN where there are none.

    Args:
        names: sequences of `dataset`, whose files alone are read ("": of any).
        merged: the runs of one tracker count together.
    """
    names = list(names)
    times: dict[str, dict[str, Array]] = {}
    for run, (label, one) in enumerate(zip(labels_of(trackers, merged), trackers, strict=True)):
        found = folder_of(one, dataset).times(names)
        times.setdefault(label, {}).update({f"{n} (run {run})": t for n, t in found.items()})
    return speed_table(times)


def summary_table(data: Comparison, speed: pd.DataFrame | None = None) -> Table:
    """Figures of each tracker, best AUC first; with a column FPS where times are known."""
    frame = data.figures()
    if speed is not None and not speed.empty and speed["fps"].notna().any():
        frame["fps"] = speed["fps"].reindex(frame.index)
    frame = frame.sort_values("auc", ascending=False)
    return Table(frame, f"Results on {data.dataset}", data.note)


def got10k_table(
    trackers: Sequence[Any],
    annotation: Annotation,
    subpixel: bool = False,
    sequences: Iterable[Any] = (),
) -> Table:
    """AO, SR50, SR75; runs of one tracker count together, as GOT-10k asks for three.

    Which frames count is GOT-10k's own rule, not that of `annotation`.

    Args:
        sequences: objects with name and frames, whose first tells where boxes are cut.
    """
    sizes = _image_sizes(sequences, annotation.truth)
    seen = np.split(annotation.seen, annotation.truth.offsets[1:-1])
    visible = dict(zip(annotation.truth.names, seen, strict=True))
    runs: dict[str, list[BoxSet]] = {}
    for label, one in zip(labels_of(trackers, merged=True), trackers, strict=True):
        runs.setdefault(label, []).append(
            folder_of(one, annotation.dataset).boxes(annotation.truth, subpixel)
        )
    rows = {}
    for label, several in runs.items():
        got = score_got10k(several, annotation.truth, visible, sizes, annotation.dataset)
        rows[label] = {"ao": got.ao, "sr50": got.sr50, "sr75": got.sr75}
    frame = _by_tracker(rows).sort_values("ao", ascending=False)
    absent = "first and absent frames" if annotation.visibility else "first frames"
    note = (
        f"{annotation.dataset}, {len(annotation.truth)} sequences; GOT-10k's figures: {absent} "
        "not counted, all frames of all sequences and runs weigh the same"
    )
    if not annotation.visibility:
        note += "; VISIBILITY FLAGS (cover.label) MISSING, frames without the target are counted"
    if len(sizes) < len(annotation.truth):
        uncut = len(annotation.truth) - len(sizes)
        note += f"; boxes of {uncut} sequences are not cut at the border, their frames are not here"
    note += files_note(trackers, annotation.truth, annotation.dataset, subpixel)
    return Table(frame, f"GOT-10k figures on {annotation.dataset}", note)


def _image_sizes(sequences: Iterable[Any], names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Width and height of the first frame of each sequence that has its frames here."""
    from ..frames import read_size  # OpenCV, which most tables do without

    wanted, sizes = set(names), {}
    for one in sequences:
        # Whoever scores results need not have the frames.
        with suppress(ImageError, DatasetError):
            if one.name in wanted:
                sizes[str(one.name)] = read_size(one.frames[0])
    return sizes


def vot_table(trackers: Sequence[Any], annotation: Annotation, subpixel: bool = False) -> Table:
    """Accuracy, robustness, failures, EAO of one run per sequence (see `vot`)."""
    scores = {
        label: score_from_start(
            folder_of(one, annotation.dataset).boxes(annotation.truth, subpixel), annotation.truth
        )
        for label, one in zip(labels_of(trackers), trackers, strict=True)
    }
    frame = _by_tracker({label: one.as_dict() for label, one in scores.items()})
    frame = frame.sort_values("eao", ascending=False)
    # Fewest failures are best, which a mark on the highest figure would get wrong.
    note = next(iter(scores.values())).note
    note += files_note(trackers, annotation.truth, annotation.dataset, subpixel)
    return Table(frame, f"VOT figures on {annotation.dataset}", note, digits=3, best=False)


def published_table(data: Comparison, speed: pd.DataFrame | None = None) -> Table | None:
    """The twelve published trackers with the runs among them, by AUC; None for other data sets."""
    column = column_of(data.dataset)
    if column is None:
        return None
    paper = published_figures()
    frame = pd.DataFrame({"auc": paper[column], "fps": paper["CPU fps"]})
    ours = pd.DataFrame({"auc": data.figures()["auc"], "fps": np.nan})
    if speed is not None and not speed.empty:
        ours["fps"] = speed["fps"].reindex(ours.index)
    ours.index = [f"{name} (this run)" for name in ours.index]
    both = pd.concat([frame, ours]).sort_values("auc", ascending=False).rename_axis("tracker")
    note = f"{caveat(column, len(data.sequences))}published: {source()}; this run: {data.note}"
    return Table(both, f"{column}: published trackers and this run", note, digits=1, best=False)


def speed_figure(data: Comparison, speed: pd.DataFrame, look: Look = LOOKS["screen"]) -> Any | None:
    """Accuracy against speed among the published trackers; None where either is unknown.

    Where the run is on a part of the data set the note says so.
    """
    column = column_of(data.dataset)
    runs = {
        label: (float(speed["fps"].get(label, np.nan)), float(auc))
        for label, auc in data.figures()["auc"].items()
    }
    runs = {str(label): point for label, point in runs.items() if np.isfinite(point).all()}
    if column is None or not runs:
        return None
    paper = published_figures()
    table = pd.DataFrame({"auc": paper[column], "fps": paper["CPU fps"]})
    note = f"{caveat(column, len(data.sequences))}published: {source()}; run: {data.note}"
    names = [name for label, name in zip(data.labels, data.names, strict=True) if label in runs]
    return draw_speed(table, runs, column, note, names, look)


def result_tables(dataset: Iterable[Any], tracker: Any, finished: Iterable[str]) -> str:
    """Tables of one tracker, one a data set.

    Args:
        dataset: sequences asked for.
        tracker: whose results_dir is read.
        finished: names of the sequences whose results are complete; others are left out.

    Returns:
        Text for the terminal. AUC and precision are of the sub-pixel boxes; the mean of the
        whole-pixel boxes, as pytracking would read them, stands below, and engine and precision.
        Of sequences whose ground truth is hidden only frames and fps are shown.
    """
    names = set(finished)
    groups: dict[str, list[Any]] = {}
    for sequence in dataset:
        if sequence.name in names:
            groups.setdefault(sequence.dataset, []).append(sequence)
    return "\n\n".join(_table(tag, group, tracker) for tag, group in groups.items())


def _table(tag: str, sequences: list[Any], tracker: Any) -> str:
    names = [sequence.name for sequence in sequences]
    folder = ResultFolder.open(Path(tracker.results_dir))
    times = folder.times(names)
    table = pd.DataFrame(index=pd.Index(names, name="sequence"))
    table["frames"] = [len(sequence.frames) for sequence in sequences]
    table["fps"] = [fps_statistics({name: times[name]})["fps"] for name in names]
    mean = {"frames": table["frames"].sum(), "fps": fps_statistics(times)["fps"]}
    notes = []
    shown = [sequence for sequence in sequences if not sequence.hidden_ground_truth]
    if len(shown) < len(names):
        notes.append(
            f"{len(names) - len(shown)} of {len(names)} sequences have no figures: their ground "
            "truth is hidden beyond the first frame; a benchmark's server scores packed results"
        )
    if shown:
        truth = {sequence.name: sequence.ground_truth_rect for sequence in shown}
        flags = {sequence.name: sequence.target_visible for sequence in shown}
        visible = {name: flag for name, flag in flags.items() if flag is not None} or None
        fine = score(folder.boxes(truth, subpixel=True), truth, tag, visible=visible)
        whole = score(folder.boxes(truth), truth, tag, visible=visible)
        for place, column in enumerate(("auc", "precision", "norm_precision")):
            table.insert(place, column, fine.per_sequence[column])
            mean[column] = getattr(fine, column)
        notes.append(
            f"whole-pixel boxes, as `ettrack results` reads them without --subpixel: "
            f"AUC {whole.auc:.2f}, precision {whole.precision:.2f}"
        )
        notes += [note for note in (fine.note, whole.rows_note) if note]
    # Not by its label, which a sequence may have.
    table = pd.concat([table, pd.DataFrame(mean, index=["mean"])[table.columns]])
    engine = folder.engines(names)
    if engine:
        notes.append(f"engine: {engine}")
    title = f"{tracker.name}/{Path(tracker.results_dir).name} on {tag}"
    body = table.to_string(float_format="{:.2f}".format, index_names=False)
    return "\n".join(
        [f"{title} (sub-pixel boxes, percent; fps of tracking, first frames apart)", body, *notes]
    )
