"""The table printed after a run: AUC, precision and fps of each sequence and their means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .tracker import Tracker


def result_tables(dataset: Iterable[Any], tracker: Tracker, finished: Iterable[str]) -> str:
    """Tables of one tracker, one a data set.

    Args:
        dataset: sequences asked for.
        tracker: whose results_dir is read.
        finished: names of the sequences whose results are complete; others are left out.

    Returns:
        Text for the terminal. AUC and precision are of the sub-pixel boxes; the mean of the
        integer boxes, as pytracking would read them, stands below, and engine and precision. Where
        the benchmark hides its ground truth only frames and fps are shown.
    """
    names = set(finished)
    groups: dict[str, list[Any]] = {}
    for sequence in dataset:
        if sequence.name in names:
            groups.setdefault(sequence.dataset, []).append(sequence)
    return "\n\n".join(_table(tag, group, tracker) for tag, group in groups.items())


def _table(tag: str, sequences: list[Any], tracker: Tracker) -> str:
    import pandas as pd

    from ..analysis import ResultFolder, score
    from ..analysis.speed import fps_statistics

    names = [sequence.name for sequence in sequences]
    folder = ResultFolder.open(Path(tracker.results_dir))
    times = folder.times(names)
    table = pd.DataFrame(index=pd.Index(names, name="sequence"))
    table["frames"] = [len(sequence.frames) for sequence in sequences]
    table["fps"] = [fps_statistics({name: times[name]})["fps"] for name in names]
    mean = {"frames": table["frames"].sum(), "fps": fps_statistics(times)["fps"]}
    notes = []
    if any(sequence.hidden_ground_truth for sequence in sequences):
        notes.append("ground truth is hidden: pack the results for the benchmark's server")
    else:
        truth = {sequence.name: sequence.ground_truth_rect for sequence in sequences}
        flags = {sequence.name: sequence.target_visible for sequence in sequences}
        visible = {name: flag for name, flag in flags.items() if flag is not None} or None
        fine = score(folder.boxes(names, subpixel=True), truth, tag, visible=visible)
        whole = score(folder.boxes(names), truth, tag, visible=visible)
        for place, column in enumerate(("auc", "precision", "norm_precision")):
            table.insert(place, column, fine.per_sequence[column])
            mean[column] = getattr(fine, column)
        notes.append(f"integer boxes: AUC {whole.auc:.2f}, precision {whole.precision:.2f}")
        notes += [note for note in (fine.note, whole.rows_note) if note]
    table.loc["mean"] = pd.Series(mean)
    table["frames"] = table["frames"].astype(int)
    engine = folder.engines(names)
    if engine:
        notes.append(f"engine: {engine}")
    title = f"{tracker.name}/{Path(tracker.results_dir).name} on {tag}"
    body = table.to_string(float_format="{:.2f}".format, index_names=False)
    return "\n".join([f"{title} (percent; fps of tracking, first frames apart)", body, *notes])
