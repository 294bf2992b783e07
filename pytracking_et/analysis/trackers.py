"""Which result folders are meant: NAME:PARAMETER[:RUN], a folder, or all there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ParameterError, ResultsError
from .boxfiles import PathArgument


@dataclass(frozen=True)
class ResultTracker:
    """What the analysis needs to know of a tracker; `evaluation.Tracker` has the same fields."""

    name: str
    parameter_name: str
    run_id: int | None
    display_name: str | None
    results_dir: str


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
        if next(folder.glob("*.txt"), None) is not None
    ]


def _from_folder(root: Path, folder: Path) -> ResultTracker:
    relative = folder.relative_to(root).parts if folder.is_relative_to(root) else (folder.name,)
    if len(relative) < 2:
        return ResultTracker(folder.name, "", None, folder.name, str(folder))
    name, parameter = relative[-2:]
    stem, _, run = parameter.rpartition("_")
    if stem and len(run) == 3 and run.isdigit():
        return ResultTracker(name, stem, int(run), None, str(folder))
    return ResultTracker(name, parameter, None, None, str(folder))


def _resolve(root: Path, spec: str) -> list[ResultTracker]:
    label, separator, place = spec.partition("=")
    if not separator:
        label, place = "", spec
    shown = label or None
    # A folder first: a Windows path holds a colon too.
    for folder in (Path(place), root / place):
        if folder.is_dir() and next(folder.glob("*.txt"), None) is not None:
            one = _from_folder(root, folder)
            return [
                ResultTracker(
                    one.name, one.parameter_name, one.run_id, shown or one.display_name,
                    one.results_dir,
                )
            ]  # fmt: skip
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
    if not first.isdigit() or (last and not last.isdigit()):
        raise ParameterError(f"run {text!r} is neither a number nor FIRST-LAST")
    return range(int(first), int(last or first) + 1)


def _available(root: Path) -> str:
    there = [
        f"{one.name}:{one.parameter_name}" if one.parameter_name else one.name
        for one in discover(root)
    ]
    return f"results there: {', '.join(sorted(set(there))[:20])}" if there else "it has no results"
