"""Trackers by their results: which are meant, how tables call them, the files in their folders.

A result folder holds `<sequence>.txt`, optionally `<sequence>_float.txt` (sub-pixel boxes),
`<sequence>_time.txt` and `<sequence>_object_presence_scores.txt`; pytracking's place for it is
`<results>/NAME/PARAMETER` or `<results>/NAME/PARAMETER_000` with a run number.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..boxtables import PathArgument
from ..errors import ParameterError, ResultsError
from ..files import reading
from ..results.files import (
    FLOAT_SUFFIX,
    SCORE_SUFFIX,
    TIME_SUFFIX,
    kind_of,
    refuse_other_run,
)
from ..results.manifest import (
    engines_text,
    find_manifest,
    older_settings,
    older_settings_text,
    recorded_sequences,
)
from ..results.names import Matcher, dataset_of, other_dataset
from .metrics import Array
from .readers import BoxSet, read_boxes, read_numbers

Missing = Literal["error", "skip"]
# `_time` and the others, as parts of a stem.
_SUFFIXES = tuple(Path(suffix).stem for suffix in (SCORE_SUFFIX, TIME_SUFFIX, FLOAT_SUFFIX))


@dataclass(frozen=True)
class ResultTracker:
    """What the analysis needs to know of a tracker; `evaluation.Tracker` has the same fields."""

    name: str
    parameter_name: str
    run_id: int | None
    display_name: str | None
    results_dir: str


def describe(tracker: Any) -> dict[str, Any]:
    """Name, parameter, run and label of a tracker object (or of a result folder's path)."""
    if isinstance(tracker, (str, Path)):
        name = _absolute(tracker).name
        return {"name": name, "param": "", "run_id": None, "disp_name": name, "label": name}
    shown, run = getattr(tracker, "display_name", None), getattr(tracker, "run_id", None)
    label = shown or style_name({"name": tracker.name, "param": tracker.parameter_name})
    if shown is None and run is not None:
        label = f"{label}_{run:03d}"
    return {
        "name": tracker.name,
        "param": tracker.parameter_name,
        "run_id": run,
        "disp_name": shown,
        "label": label,
    }


def _absolute(path: PathArgument) -> Path:
    """For the name of "."; a link keeps its own."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def unique_labels(trackers: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Runs under one display name would share a row of a table: number them."""
    labels = [one["label"] for one in trackers]
    for one in trackers:
        if labels.count(one["label"]) > 1:
            run = "" if one["run_id"] is None else f" {one['run_id']:03d}"
            one["label"] = f"{one['label']}{run}"
    labels = [one["label"] for one in trackers]
    for i, one in enumerate(trackers):
        if labels.index(one["label"]) < i:
            one["label"] = f"{one['label']} ({labels[:i].count(labels[i]) + 1})"
    return tuple(trackers)


def merged_labels(trackers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Label of each tracker once its runs are averaged; a lone run keeps its own."""
    # Folders elsewhere that are called alike, which have no parameter name, are no runs.
    keys = [
        (one["name"], one["param"] or place, one["disp_name"]) for place, one in enumerate(trackers)
    ]
    shown: dict[Any, str] = {}
    for key, one in zip(keys, trackers, strict=True):
        if key not in shown:
            alone = keys.count(key) == 1
            label = str(one["label"]) if alone else one["disp_name"] or style_name(one)
            same = sum(re.sub(r" \(\d+\)$", "", other) == label for other in shown.values())
            shown[key] = f"{label} ({same + 1})" if same else label
    return [shown[key] for key in keys]


def style_name(described: Mapping[str, Any]) -> str:
    """What decides a tracker's color, of what `describe` gives: neither its run nor its label."""
    return f"{described['name']}_{described['param']}".rstrip("_")


def labels_of(trackers: Sequence[Any], merged: bool = False) -> list[str]:
    """Label of each tracker in the tables made from them; runs share one where merged."""
    described = unique_labels([describe(tracker) for tracker in trackers])
    return merged_labels(described) if merged else [str(one["label"]) for one in described]


def folder_of(tracker: Any, dataset: str = "") -> ResultFolder:
    """Open a tracker's results (`results_dir`, or the path itself) on a data set ("": on any)."""
    path = tracker if isinstance(tracker, (str, Path)) else tracker.results_dir
    return ResultFolder.open(path, dataset)


def files_note(trackers: Sequence[Any], names: Iterable[str], dataset: str, subpixel: bool) -> str:
    """What notes say of the files that were read: which boxes, and of which engines."""
    names, kind = list(names), "boxes of SEQ.txt"
    labels, folders = labels_of(trackers), [folder_of(one, dataset) for one in trackers]
    if subpixel:
        both = zip(labels, folders, strict=True)
        whole = [label for label, folder in both if folder.without_subpixel(names)]
        kind = "sub-pixel boxes" + (f" (SEQ.txt of {', '.join(whole)})" if whole else "")
    return f"; {kind}{_engines(labels, folders, names)}"


def engines_note(trackers: Sequence[Any], names: Iterable[str], dataset: str = "") -> str:
    """What notes say of engines and precisions, for example "; engine: openvino f32".

    Args:
        trackers: as in `compare`.
        names: sequences.
        dataset: as in `folder_of`.
    """
    folders = [folder_of(one, dataset) for one in trackers]
    return _engines(labels_of(trackers), folders, list(names))


def _engines(labels: list[str], folders: list[ResultFolder], names: list[str]) -> str:
    by_engine: dict[str, list[str]] = {}
    for label, folder in zip(labels, folders, strict=True):
        text = folder.engines(names)
        if text:
            by_engine.setdefault(text, []).append(label)
    if not by_engine:
        return ""
    if list(by_engine.values()) == [labels]:
        return f"; engine: {next(iter(by_engine))}"
    listing = (f"{text} ({', '.join(found)})" for text, found in by_engine.items())
    return "; engines: " + ", ".join(listing)


def find_trackers(results: PathArgument, specs: Iterable[str] = ()) -> list[ResultTracker]:
    """Resolve what a command line names.

    Args:
        results: folder of all results.
        specs: each [LABEL=]NAME:PARAMETER, NAME:PARAMETER:RUN, NAME:PARAMETER:FIRST-LAST, or a
            folder (absolute, or below `results`); none: every folder that holds results.

    Raises:
        ResultsError: a folder does not exist or nothing was found; lists what is there.
    """
    root = Path(results)
    specs = list(specs)
    if not specs:
        found = discover(root)
        if not found:
            raise ResultsError(
                f"no results below {root}; expected {root}/NAME/PARAMETER/<sequence>.txt"
            )
        return found
    return [tracker for spec in specs for tracker in _resolve(root, spec)]


def discover(root: PathArgument) -> list[ResultTracker]:
    """Every folder at NAME or NAME/PARAMETER below `root` that holds <sequence>.txt files."""
    base = Path(root)
    folders = [*sorted(base.glob("*/")), *sorted(base.glob("*/*/"))]
    return [
        _from_folder(base, folder)
        for folder in folders
        # Hidden ones are copies of an editor's (.ipynb_checkpoints).
        if not any(part[0] == "." for part in folder.relative_to(base).parts) and _has_texts(folder)
    ]


def _has_texts(folder: Path) -> bool:
    """Whether there is a file that `ResultFolder.open` reads, .TXT too."""
    # Not iterdir, which one folder that may not be read would end.
    return any(file.suffix.lower() == ".txt" for file in folder.glob("*"))


def _from_folder(root: Path, folder: Path) -> ResultTracker:
    base, place = _absolute(root), _absolute(folder)
    relative = place.relative_to(base).parts if place.is_relative_to(base) else (place.name,)
    if len(relative) < 2:
        return ResultTracker(place.name, "", None, place.name, str(folder))
    name, parameter = relative[-2:]
    stem, _, run = parameter.rpartition("_")
    if stem and run.isdecimal() and len(run) >= 3:
        # Our manifest knows parameter files that are called so themselves (ep_030), and run 1000.
        known = (find_manifest(folder) or {}).get("parameter")
        if known == stem or (known != parameter and len(run) == 3):
            return ResultTracker(name, stem, int(run), None, str(folder))
    return ResultTracker(name, parameter, None, None, str(folder))


def _resolve(root: Path, spec: str) -> list[ResultTracker]:
    label, separator, place = spec.partition("=")
    if not separator:
        label, place = "", spec
    shown = label or None
    # Folders first: a path may hold "=" (lr=0.1), and on Windows a colon.
    for asked, text in ((None, spec), (shown, place)):
        for folder in (Path(text), root / text):
            if folder.is_dir() and _has_texts(folder):
                one = _from_folder(root, folder)
                return [replace(one, display_name=asked or one.display_name)]
    parts = place.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise ParameterError(
            f"tracker {spec!r} is no result folder below {root} and not NAME:PARAMETER[:RUN]; "
            f"{_available(root)}"
        )
    name, parameter = parts[:2]
    trackers = []
    for run in _runs(parts[2]) if len(parts) == 3 else [None]:
        leaf = parameter if run is None else f"{parameter}_{run:03d}"
        folder = root / name / leaf
        if not folder.is_dir():
            raise ResultsError(f"no results of {spec!r} at {folder}; {_available(root)}")
        trackers.append(ResultTracker(name, parameter, run, shown, str(folder)))
    return trackers


def _runs(text: str) -> Sequence[int]:
    first, _, last = text.partition("-")
    last = last or first
    # isdecimal: int() takes no other digits, such as those of exponents.
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise ParameterError(f"run {text!r} is neither a number nor FIRST-LAST, as 0-2")
    return range(int(first), int(last) + 1)


def _available(root: Path) -> str:
    there = [
        f"{one.name}:{one.parameter_name}" if one.parameter_name else one.name
        for one in discover(root)
    ]
    return f"results there: {', '.join(sorted(set(there))[:20])}" if there else "it has no results"


@dataclass(frozen=True)
class ResultFolder:
    """The files of one run, by kind.

    Attributes:
        path: the folder.
        files: kind ("", "_float", "_time", "_object_presence_scores") -> sequence -> file.
        dataset: data set the folder was opened for, "" for any.
        others: sequences left out because the manifest, or the prefix of their name, has them of
            another data set -> which.
        content: of manifest.json, None where there is none.
    """

    path: Path
    files: Mapping[str, Mapping[str, Path]] = field(repr=False)
    dataset: str = ""
    others: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: Any = field(default=None, repr=False)

    @classmethod
    def open(cls, path: PathArgument, dataset: str = "") -> ResultFolder:
        """List a folder once. Raises ResultsError where it does not exist.

        Args:
            dataset: leave out what the manifest, or the prefix of the name, says is of another
                data set: one folder holds the results of all, and their sequences may have the
                same names.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise ResultsError(
                f"no result folder {folder}; expected <results>/NAME/PARAMETER[_RUN] "
                "with one <sequence>.txt per sequence"
            )
        content = find_manifest(folder)
        recorded = recorded_sequences(content)
        others = {
            name: str(entry["dataset"])
            for name, entry in recorded.items()
            if other_dataset(dataset, str(entry.get("dataset", "")))
        }
        files: dict[str, dict[str, Path]] = {kind: {} for kind in ("", *_SUFFIXES)}
        texts = [file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".txt"]
        # A copy may spell the endings otherwise.
        names = {f"{file.stem}.txt" for file in texts}
        for file in texts:
            if file.name.startswith("."):
                continue
            kind = kind_of(f"{file.stem}.txt", names).removesuffix(".txt")
            kind = "" if file.stem in recorded else kind
            name = file.stem.removesuffix(kind)
            if other_dataset(dataset, dataset_of(name)):
                others.setdefault(name, dataset_of(name))
            if name not in others:
                files[kind][name] = file
        return cls(folder, files, dataset, others, content)

    def sequences(self) -> list[str]:
        """Names of the sequences that have boxes."""
        return sorted(set(self.files[""]) | set(self.files["_float"]))

    def find(self, names: Iterable[str], kind: str = "") -> dict[str, Path | None]:
        """Map each of `names` to its file of one kind, whatever the spelling, or to None."""
        files, matcher = self.files[kind], Matcher(self.files[kind], mixed=True)
        found = {name: matcher.find(name) for name in names}
        return {name: files[match] if match else None for name, match in found.items()}

    def boxes(
        self, names: Iterable[str], subpixel: bool = False, missing: Missing = "error"
    ) -> BoxSet:
        """Read boxes of the sequences `names`, keyed by those names.

        Args:
            names: sequence names as the data set spells them.
            subpixel: prefer `_float.txt`; a sequence without it is read from the whole-pixel
                file, with a warning, since mixing the two is no clean comparison.
            missing: "error" lists what is missing and raises; "skip" leaves it out.

        Sequences that the manifest has of older settings than the others are warned of.

        Raises:
            ResultsError: sequences are missing (missing="error"), a file cannot be parsed, or
                the two box files of a sequence are of different runs.
        """
        chosen = self._chosen(list(names), subpixel)
        absent = [name for name, path in chosen.items() if path is None]
        if absent and missing == "error":
            raise ResultsError(
                f"{self.path} lacks {len(absent)} of {len(chosen)} sequences: "
                f"{', '.join(absent[:10])}{' ...' if len(absent) > 10 else ''}"
                f"{self._instead(absent)}; "
                "run them, or skip them (skip_missing_seq=True, --skip-missing)"
            )
        found = {name: path for name, path in chosen.items() if path is not None}
        boxes = read_boxes(found)
        if subpixel:
            self._refuse_other_runs(found, boxes)
        return boxes

    def without_subpixel(self, names: Iterable[str]) -> list[str]:
        """Those of `names` whose boxes are in `<sequence>.txt` alone."""
        fine, plain = self.find(names, "_float"), self.find(names)
        return [name for name in plain if fine[name] is None and plain[name] is not None]

    def _refuse_other_runs(self, found: Mapping[str, Path], boxes: BoxSet) -> None:
        plain = self.find(found)
        beside = {n: p for n, p in plain.items() if p is not None and p != found[n]}
        for name, whole in read_boxes(beside).items():
            refuse_other_run(found[name], boxes[name], whole)

    def _instead(self, absent: list[str]) -> str:
        """What an error says of files that seem to be the ones it misses."""
        matcher = Matcher(self.others)
        of = {self.others[match] for name in absent if (match := matcher.find(name))}
        return f" (there are some of {', '.join(sorted(of))}, not {self.dataset})" if of else ""

    def _chosen(self, names: list[str], subpixel: bool) -> dict[str, Path | None]:
        """The box file of each sequence."""
        plain = self.find(names)
        self._warn_of_older(plain)
        if not subpixel:
            return plain
        fine, without = self.find(names, "_float"), self.without_subpixel(names)
        if without:
            warnings.warn(
                f"{self.path}: no sub-pixel file for {len(without)} of {len(names)} sequences "
                f"({', '.join(without[:5])}); their whole-pixel boxes are used",
                stacklevel=3,
            )
        return {name: fine[name] or plain[name] for name in names}

    def _warn_of_older(self, found: Mapping[str, Path | None]) -> None:
        """Warn where the sequences are of several settings: no figure over them is of a run."""
        stems = [path.stem for path in found.values() if path is not None]
        older = older_settings(self.content, stems)
        if older:
            text = older_settings_text(older, len(stems))
            warnings.warn(f"{self.path}: {text}", stacklevel=4)

    def engines(self, names: Iterable[str]) -> str:
        """Engine and precision of the sequences `names` by the manifest; see `engines_text`."""
        stems = [path.stem for path in self.find(names).values() if path is not None]
        return engines_text(self.content, stems)

    def fingerprint(self, names: Iterable[str], subpixel: bool = False) -> bytes:
        """SHA-256 over the bytes of the box files of `names`; files that lack count as such."""
        digest = hashlib.sha256()
        chosen = self._chosen(list(names), subpixel)
        plain = self.find(chosen)
        for name, path in chosen.items():
            for file in dict.fromkeys((path, plain[name])):
                with reading(file or "", ResultsError, "remove it, or run the sequence again"):
                    content = b"" if file is None else file.read_bytes()
                digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.digest()

    def times(self, names: Iterable[str]) -> dict[str, Array]:
        """Seconds per frame of the sequences that have a `_time.txt`."""
        return self._numbers(names, "_time")

    def presence(self, names: Iterable[str]) -> dict[str, Array]:
        """Object presence scores of the sequences that have them."""
        return self._numbers(names, "_object_presence_scores")

    def _numbers(self, names: Iterable[str], kind: str) -> dict[str, Array]:
        found = self.find(names, kind)
        return read_numbers({name: path for name, path in found.items() if path is not None})


def read_results(
    folder: PathArgument,
    names: Iterable[str] | None = None,
    subpixel: bool = False,
    missing: Missing = "error",
) -> BoxSet:
    """Read the boxes of a result folder: the sequences `names`, or all it has."""
    opened = ResultFolder.open(folder)
    return opened.boxes(opened.sequences() if names is None else names, subpixel, missing)
