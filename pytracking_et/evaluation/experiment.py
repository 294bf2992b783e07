"""Experiments, pytracking's way of naming several trackers and data sets in one function.

An experiment is a function without arguments that returns `(trackers, dataset)`, in a module of
`pytracking_et.experiments`, in any importable module, or in a file.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ParameterError, PytrackingETError
from ..names import printable
from .runner import run_dataset
from .sequence import SequenceList
from .tracker import Display, Tracker

PACKAGE = "pytracking_et.experiments"
Tables = Callable[[Iterable[Any], Any, Iterable[str]], str]


def load_experiment(module_name: str, name: str) -> tuple[list[Tracker], SequenceList]:
    """Call an experiment function.

    Args:
        module_name: `myexperiments` (in pytracking_et.experiments), `mylab.runs`, or `runs.py`.
        name: function in it.

    Raises:
        ParameterError: no such module or function (lists what there is), or it returns something
            else than (trackers, dataset).
    """
    module = _module(module_name)
    function = getattr(module, name, None)
    if not callable(function):
        raise ParameterError(
            f"no experiment {name!r} in {module_name!r}; there are: "
            f"{', '.join(_experiments(module)) or 'none'}"
        )
    made = function()
    if not isinstance(made, tuple) or len(made) != 2:
        kind = type(made).__name__
        raise ParameterError(
            f"experiment {name!r} returned {kind}; it must return (trackers, dataset)"
        )
    trackers, dataset = made
    trackers = [trackers] if isinstance(trackers, Tracker) else list(trackers)
    if not trackers or not all(isinstance(each, Tracker) for each in trackers):
        raise ParameterError(f"experiment {name!r}: trackers must be a list of Tracker objects")
    return trackers, SequenceList(dataset)


def _print(text: str) -> None:
    print(printable(text, sys.stdout))


def run_and_report(
    dataset: Iterable[Any],
    trackers: list[Tracker],
    tables: Tables,
    *,
    debug: int = 0,
    threads: int = 0,
    visdom_info: Mapping[str, Any] | None = None,
    resume: bool = True,
    cluster: str | None = None,
    time_limit: float | None = None,
    by_content: bool = False,
    display: Display | None = None,
    show: Callable[[str], None] = _print,
) -> int:
    """Run, then print the table of each tracker and the summary.

    Args:
        tables: of one tracker's finished sequences: `analysis.result_tables`.
        others: as of `run_dataset`.

    Returns:
        0, or 1 where a sequence failed.
    """
    dataset = SequenceList(dataset)
    report = run_dataset(
        dataset,
        trackers,
        debug,
        threads,
        visdom_info,
        resume=resume,
        cluster=cluster,
        time_limit=time_limit,
        by_content=by_content,
        display=display,
    )
    for tracker in trackers:
        finished = report.finished(tracker)
        if finished:
            show(_tables(tables, dataset, tracker, finished))
            show(f"results: {tracker.results_dir}\n")
    show(report.summary())
    return 1 if report.failed else 0


def _tables(tables: Tables, dataset: SequenceList, tracker: Tracker, finished: list[str]) -> str:
    try:
        return tables(dataset, tracker, finished)
    except PytrackingETError as error:
        # Results are written; that they cannot be scored must not hide how the run went.
        return f"{tracker.name}/{Path(tracker.results_dir).name}: no scores: {error}"


def _module(name: str) -> ModuleType:
    if name.endswith(".py"):
        return _from_file(Path(name).expanduser())
    for full in (f"{PACKAGE}.{name}", name):
        try:
            found = importlib.util.find_spec(full)
        except (ModuleNotFoundError, ValueError):
            found = None
        if found is not None:
            return importlib.import_module(full)
    package = importlib.import_module(PACKAGE)
    known = sorted(path.stem for folder in package.__path__ for path in Path(folder).glob("*.py"))
    raise ParameterError(
        f"no experiment module {name!r}; there are: "
        f"{', '.join(stem for stem in known if stem != '__init__')}; a file needs its .py"
    )


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ParameterError(f"no experiment file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _experiments(module: ModuleType) -> list[str]:
    return [
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
