"""Several trackers on one data set: curves stacked, averaged over runs, kept on disk.

`Comparison` is what tables, plots and the report are made from; `Comparison.eval_data()` is the
same as the dictionary of pytracking's eval_data.pkl, under its keys, without the pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..boxtables import PathArgument
from ..errors import ResultsError
from ..files import reading
from ..version import __version__
from .metrics import CENTER_THRESHOLDS, NORM_THRESHOLDS, Annotation, Array
from .readers import gather
from .scoring import FIGURES, Score, figures_of, score_annotated, warn_visibility
from .tables import written
from .trackers import (
    ResultFolder,
    describe,
    files_note,
    folder_of,
    merged_labels,
    style_name,
    unique_labels,
)

# By sequence and tracker; all that is kept as arrays.
_RATES = ("success", "precision", "norm_precision", "average_overlap")
_ARRAYS = (*_RATES, "thresholds", "frames")


@dataclass(frozen=True)
class Comparison:
    """Hit rates of T trackers on S sequences.

    Attributes:
        trackers: T dictionaries with name, param, run_id, disp_name, label.
        sequences: S names.
        success: (S, T, thresholds) rates 0..1.
        precision: (S, T, 51) rates 0..1.
        norm_precision: (S, T, 51) rates 0..1.
        average_overlap: (S, T) mean IoU of valid frames.
        thresholds: of the success curve.
        frames: (S,) frames of each sequence.
        dataset: its name.
        rule: its name.
        note: what every table and plot states.
        skipped: sequences left out because a tracker lacks them.
    """

    trackers: tuple[Mapping[str, Any], ...]
    sequences: tuple[str, ...]
    success: Array
    precision: Array
    norm_precision: Array
    average_overlap: Array
    thresholds: Array
    frames: NDArray[np.int64]
    dataset: str
    rule: str
    note: str
    skipped: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Names of the trackers in tables and legends."""
        return [str(tracker["label"]) for tracker in self.trackers]

    @property
    def names(self) -> list[str]:
        """NAME_PARAMETER of the trackers, the same in every comparison."""
        return [style_name(tracker) for tracker in self.trackers]

    def figures(self) -> pd.DataFrame:
        """Percent, one row a tracker: auc, op50, op75, precision, norm_precision."""
        rates = figures_of(self)
        return pd.DataFrame(
            # pandas leaves NaN out of a mean, and gives NaN where there is nothing else.
            {name: pd.DataFrame(rates[name]).mean().to_numpy() for name in FIGURES},
            index=pd.Index(self.labels, name="tracker"),
        )

    def per_sequence(self, figure: str = "auc") -> pd.DataFrame:
        """Percent, one row a sequence, one column a tracker; figure: one of FIGURES or "ao"."""
        rates = figures_of(self)
        if figure not in rates:
            raise ResultsError(f"unknown figure {figure!r}; one of: {', '.join(rates)}")
        index = pd.Index(self.sequences, name="sequence")
        return pd.DataFrame(rates[figure], index=index, columns=self.labels)

    def subset(self, names: Iterable[str]) -> Comparison:
        """The same trackers on some of the sequences (an attribute, a filter)."""
        wanted = set(names)
        keep = [i for i, name in enumerate(self.sequences) if name in wanted]
        arrays: dict[str, Any] = {name: getattr(self, name)[keep] for name in (*_RATES, "frames")}
        return replace(self, sequences=tuple(self.sequences[i] for i in keep), **arrays)

    def merged(self) -> Comparison:
        """Average the runs of trackers that differ by run number only."""
        groups: dict[str, list[int]] = {}
        for i, label in enumerate(merged_labels(self.trackers)):
            groups.setdefault(label, []).append(i)
        trackers = []
        for label, members in groups.items():
            first = self.trackers[members[0]]
            run = first["run_id"] if len(members) == 1 else None
            trackers.append({**first, "run_id": run, "label": label})

        def average(values: Array) -> Array:
            return np.stack([values[:, rows].mean(axis=1) for rows in groups.values()], axis=1)

        arrays: dict[str, Any] = {name: average(getattr(self, name)) for name in _RATES}
        return replace(self, trackers=tuple(trackers), **arrays)

    def eval_data(self) -> dict[str, Any]:
        """The dictionary of pytracking's eval_data, arrays as numpy."""
        return {
            "sequences": list(self.sequences),
            "trackers": [
                {key: one[key] for key in ("name", "param", "run_id", "disp_name")}
                for one in self.trackers
            ],
            "valid_sequence": np.ones(len(self.sequences), bool),
            "ave_success_rate_plot_overlap": self.success,
            "ave_success_rate_plot_center": self.precision,
            "ave_success_rate_plot_center_norm": self.norm_precision,
            "avg_overlap_all": self.average_overlap,
            "threshold_set_overlap": self.thresholds,
            "threshold_set_center": CENTER_THRESHOLDS,
            "threshold_set_center_norm": NORM_THRESHOLDS,
            "dataset": self.dataset,
            "rule": self.rule,
            "note": self.note,
        }

    def save(self, path: PathArgument, key: str) -> None:
        """Write arrays and JSON into one .npz; `key` identifies the inputs."""
        head = {
            "key": key,
            "trackers": [dict(one) for one in self.trackers],
            **{
                name: getattr(self, name)
                for name in ("sequences", "dataset", "rule", "note", "skipped")
            },
        }
        with written(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                head=np.frombuffer(json.dumps(head).encode(), np.uint8),
                **{name: getattr(self, name) for name in _ARRAYS},
            )

    @classmethod
    def load(cls, path: PathArgument, key: str) -> Comparison | None:
        """Read what `save` wrote, or None where there is none or its inputs were others."""
        if not Path(path).is_file():
            return None
        with (
            reading(path, ResultsError, "delete it, or pass force_evaluation=True"),
            np.load(path, allow_pickle=False) as stored,
        ):
            head = json.loads(stored["head"].tobytes())
            if head.pop("key") != key:
                return None
            arrays = {name: stored[name] for name in _ARRAYS}
            for name in ("trackers", "sequences", "skipped"):
                head[name] = tuple(head[name])
            return cls(**head, **arrays)


def compare(
    trackers: Sequence[Any],
    dataset: Iterable[Any] | Annotation,
    rule: str = "pytracking",
    *,
    merge_results: bool = False,
    skip_missing_seq: bool = False,
    plot_bin_gap: float = 0.05,
    exclude_invalid_frames: bool = False,
    subpixel: bool = False,
    cache: PathArgument | None = None,
    force_evaluation: bool = False,
) -> Comparison:
    """Score trackers on a data set.

    Args:
        trackers: objects with name, parameter_name, run_id, display_name, results_dir; or paths of
            result folders.
        dataset: sequence objects (name, ground_truth_rect, target_visible, dataset), or a
            prepared Annotation, whose rule then counts.
        rule: see `rules`.
        merge_results: average the runs of one tracker.
        skip_missing_seq: leave out, for all trackers, sequences that one of them lacks;
            otherwise they raise.
        plot_bin_gap: step of the overlap thresholds.
        exclude_invalid_frames: as in `metrics`.
        subpixel: prefer `_float.txt`.
        cache: .npz that is reused where rule, options, ground truth, all boxes and the version of
            this package are the same.
        force_evaluation: compute anew whatever the cache holds.

    Raises:
        ResultsError: missing folders or sequences, files that cannot be parsed, invalid boxes.
        DatasetError: hidden ground truth, several data sets at once.
    """
    if not trackers:
        raise ResultsError("no trackers to compare; give at least one")
    annotation = dataset if isinstance(dataset, Annotation) else annotate(dataset, rule)
    folders = [folder_of(tracker, annotation.dataset) for tracker in trackers]
    skipped: Sequence[str] = ()
    if skip_missing_seq:
        annotation, skipped = without_missing(annotation, folders, subpixel)
    described = unique_labels([describe(tracker) for tracker in trackers])
    files = files_note(trackers, annotation.truth, annotation.dataset, subpixel)
    options = [plot_bin_gap, exclude_invalid_frames, merge_results, list(described), files]
    options.append(list(skipped))
    key = ""
    if cache is not None:
        key = _key(annotation, folders, subpixel, options)
        found = None if force_evaluation else Comparison.load(cache, key)
        if found is not None:
            warn_visibility(annotation)
            return found
    # One tracker's boxes in memory at a time.
    scores = [
        _score(folder, annotation, subpixel, plot_bin_gap, exclude_invalid_frames)
        for folder in folders
    ]
    result = _stack(described, scores, skipped, files)
    if merge_results:
        result = result.merged()
    if cache is not None:
        result.save(cache, key)
    return result


def _score(folder: ResultFolder, annotation: Annotation, subpixel: bool, *options: Any) -> Score:
    boxes = folder.boxes(annotation.truth, subpixel)
    try:
        return score_annotated(boxes, annotation, *options)
    except ResultsError as error:
        # Of boxes alone nobody knows which of the trackers they are of.
        raise ResultsError(f"{folder.path}: {error}") from error


def annotate(dataset: Iterable[Any], rule: str = "pytracking") -> Annotation:
    """Prepare the ground truth of sequence objects."""
    name, truth, visible = gather(dataset)
    return Annotation.build(truth, name, rule, visible)


def _stack(
    trackers: tuple[dict[str, Any], ...],
    scores: Sequence[Score],
    skipped: Sequence[str],
    files: str,
) -> Comparison:
    """`files`: what the note says of the files that were read."""
    first = scores[0]
    rates: dict[str, Array] = {
        name: np.stack([getattr(one.curves, name) for one in scores], axis=1) for name in _RATES
    }
    note = first.note
    for tracker, one in zip(trackers, scores, strict=True):
        if one.rows_note:
            note += f"; {tracker['label']}: {one.rows_note}"
    return Comparison(
        trackers=trackers,
        sequences=tuple(map(str, first.per_sequence.index)),
        **rates,
        thresholds=first.curves.thresholds,
        frames=first.per_sequence["frames"].to_numpy(np.int64),
        dataset=first.dataset,
        rule=first.rule,
        note=note + skipped_note(skipped) + files,
        skipped=tuple(skipped),
    )


def without_missing(
    annotation: Annotation, folders: Iterable[ResultFolder], subpixel: bool
) -> tuple[Annotation, list[str]]:
    """The sequences that all of the folders have, and names of the others.

    Raises:
        ResultsError: there is no such sequence.
    """
    names, folders = list(annotation.truth), list(folders)
    lacking: set[str] = set()
    for folder in folders:
        lacking |= set(names) - with_boxes(folder, names, subpixel)
    if len(lacking) == len(names):
        raise ResultsError(
            f"no sequence has results of every tracker: {', '.join(str(f.path) for f in folders)}"
        )
    skipped = [name for name in names if name in lacking]
    return (annotation.only(set(names) - lacking) if skipped else annotation), skipped


def with_boxes(folder: ResultFolder, names: Iterable[str], subpixel: bool) -> set[str]:
    """Those of `names` that a folder has boxes of; sub-pixel ones count if asked for."""
    names = list(names)
    kinds = ("", "_float") if subpixel else ("",)
    return {name for kind in kinds for name, path in folder.find(names, kind).items() if path}


def skipped_note(skipped: Sequence[str]) -> str:
    """What notes say of sequences that were left out; "" where none was."""
    if not skipped:
        return ""
    more = f" and {len(skipped) - 8} more" if len(skipped) > 8 else ""
    shown = ", ".join(skipped[:8]) + more
    return f"; {len(skipped)} sequence(s) skipped for missing results: {shown}"


def _key(
    annotation: Annotation, folders: Iterable[ResultFolder], subpixel: bool, options: Sequence[Any]
) -> str:
    """SHA-256 of everything the figures depend on, our code too; result files by their bytes."""
    truth = annotation.truth
    about = [annotation.dataset, annotation.rule.name, annotation.visibility, truth.names]
    head = [__version__, *about, *options]
    digest = hashlib.sha256(json.dumps(head).encode())
    fills = annotation.center_fill, annotation.norm_fill
    for part in (truth.offsets, truth.boxes, annotation.valid, *fills):
        digest.update(np.ascontiguousarray(part).tobytes())
    for folder in folders:
        digest.update(folder.fingerprint(truth, subpixel))
    return digest.hexdigest()
