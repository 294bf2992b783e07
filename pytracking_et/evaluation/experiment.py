"""From words to trackers and sequences, of a command line or an experiment, and their run.

An experiment is a function without arguments that returns `(trackers, dataset)`, in a module of
`pytracking_et.experiments`, in any importable module, or in a file.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import DatasetError, ParameterError, PytrackingETError
from ..names import printable
from ..settings import expanded
from ..tracker import plugins
from .datasets import get_dataset
from .runner import run_dataset
from .sequence import Listing, Sequence, SequenceList, cached_listing
from .tracker import Tracker, trackerlist

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
    if any(each.default is each.empty for each in inspect.signature(function).parameters.values()):
        raise ParameterError(f"experiment {name!r} takes arguments; it must be called without any")
    with plugins.users_code(f"experiment {name!r} of {module_name!r}", __file__):
        made = function()
    if not isinstance(made, tuple) or len(made) != 2:
        kind = type(made).__name__
        raise ParameterError(
            f"experiment {name!r} returned {kind}; it must return (trackers, dataset)"
        )
    trackers, dataset = made
    if isinstance(trackers, Tracker) or not isinstance(trackers, Iterable):
        trackers = [trackers]
    trackers = list(trackers)
    if not trackers or not all(isinstance(each, Tracker) for each in trackers):
        raise ParameterError(f"experiment {name!r}: trackers must be a list of Tracker objects")
    sequences = [dataset] if isinstance(dataset, Sequence) else dataset
    if isinstance(sequences, str) or not isinstance(sequences, Iterable):
        raise ParameterError(
            f"experiment {name!r}: the data set is {dataset!r}; it must be a list of Sequence "
            "objects, such as get_dataset('otb')"
        )
    sequences = SequenceList(sequences)
    for each in sequences:
        if not isinstance(each, Sequence):
            raise ParameterError(
                f"experiment {name!r}: {each!r} in the data set is no Sequence; several data sets "
                "are joined by get_dataset('otb', 'uav')"
            )
    return trackers, sequences


def run_and_report(
    dataset: Iterable[Any],
    trackers: list[Tracker],
    tables: Tables,
    **options: Any,
) -> int:
    """Run, then print the table of each tracker and the summary.

    Args:
        tables: of one tracker's finished sequences: `analysis.result_tables`.
        options: of `run_dataset`.

    Returns:
        0, or 1 where a sequence failed.
    """
    dataset = SequenceList(dataset)
    report = run_dataset(dataset, trackers, **options)
    for tracker in trackers:
        finished = report.finished(tracker)
        if finished:
            text = _tables(tables, dataset, tracker, finished)
            print(printable(f"{text}\nresults: {tracker.results_dir}\n", sys.stdout))
    print(printable(report.summary(), sys.stdout))
    return 1 if report.failed else 0


def _tables(tables: Tables, dataset: SequenceList, tracker: Tracker, finished: list[str]) -> str:
    try:
        return tables(dataset, tracker, finished)
    except PytrackingETError as error:
        # Results are written; that they cannot be scored must not hide how the run went.
        return f"{tracker.name}/{Path(tracker.results_dir).name}: no scores: {error}"


def _module(name: str) -> ModuleType:
    if name.endswith(".py"):
        return _from_file(expanded(name))
    for full in (f"{PACKAGE}.{name}", name):
        with plugins.users_code(f"experiment module {full!r}", __file__):
            if _is_there(full):
                return importlib.import_module(full)
    package = importlib.import_module(PACKAGE)
    known = sorted(path.stem for folder in package.__path__ for path in Path(folder).glob("*.py"))
    raise ParameterError(
        f"no experiment module {name!r}; there are: "
        f"{', '.join(stem for stem in known if stem != '__init__')}; a file needs its .py"
    )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a name such as "a..b"
        return False
    except ModuleNotFoundError as error:
        # A parent that is not there; what one lacks itself is another matter.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        return False


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ParameterError(f"no experiment file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    with plugins.users_code(f"experiment file '{path}'", __file__):
        spec.loader.exec_module(module)
    return module


def _experiments(module: ModuleType) -> list[str]:
    return [
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


def select_trackers(
    name: str, parameter: str, run_id: int | None = None, runs: int | None = None, **keywords: Any
) -> list[Tracker]:
    """Trackers of a run: one, or `runs` of them with run ids 0..runs-1.

    Raises:
        ParameterError: unknown tracker or parameter file, or both run_id and runs.
    """
    if runs is not None:
        if run_id is not None or runs < 1:
            raise ParameterError(
                f"--runs {runs} makes run ids 0..N-1: give a positive number and no --runid"
            )
        return trackerlist(name, parameter, range(runs), **keywords)
    plugins.tracker_class(name)
    return trackerlist(name, parameter, run_id, **keywords)


def select_sequences(
    dataset: str, root: str | None = None, sequence: str | int | None = None
) -> SequenceList:
    """A data set, or one sequence of it by name or number (a folder may be called 0002).

    Sequences with missing files stay in, and are reported by the run, as long as there is one
    that is whole.

    Raises:
        DatasetError: unknown data set or sequence, or files missing of every sequence asked for.
    """
    chosen = get_dataset(dataset, root=root)
    if sequence is not None:
        if sequence not in chosen.names:
            with suppress(ValueError):
                sequence = int(sequence)
        chosen = chosen[[sequence]]
    if not chosen:
        raise DatasetError(f"data set {dataset!r} has no sequences")
    look = cached_listing()
    if not any(_is_whole(each, look) for each in chosen):
        chosen.require()
    return chosen


def _is_whole(sequence: Sequence, look: Listing) -> bool:
    try:
        return not sequence.missing_files(look)
    except DatasetError:  # a folder that cannot be read; `require` or the run says so
        return False


def override(
    trackers: Iterable[Tracker], results_path: str | None = None, **asked: Any
) -> list[Tracker]:
    """The same trackers with what is given of `TrackerSpec` and the folder replaced."""
    given = {key: value for key, value in asked.items() if value}
    made = [copy.copy(each) for each in trackers]  # of the user's own class, where it is one
    for each in made:
        each.spec = replace(each.spec, **given)
        if results_path:
            each.results_path = results_path
            each.results_dir = str(Path(results_path, *Path(each.results_dir).parts[-2:]))
    return made
