"""From command-line words to trackers and sequences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import DatasetError, ParameterError
from ..tracker import plugins
from .datasets import get_dataset
from .sequence import Listing, Sequence, SequenceList, cached_listing
from .tracker import Tracker, trackerlist


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
    dataset: str, root: str | None = None, sequence: str | None = None
) -> SequenceList:
    """A data set, or one sequence of it by number or name (tried as a number first).

    Sequences with missing files stay in, and are reported by the run, as long as there is one
    that is whole.

    Raises:
        DatasetError: unknown data set or sequence, or files missing of every sequence asked for.
    """
    chosen = get_dataset(dataset, root=root)
    if sequence is not None:
        try:
            chosen = chosen[[int(sequence)]]
        except ValueError:
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
    trackers: Iterable[Tracker],
    checkpoint: str | None = None,
    engine: str | None = None,
    results_path: str | None = None,
    precision: str | None = None,
) -> list[Tracker]:
    """The same trackers with what is given replaced."""
    return [
        Tracker(
            each.name,
            each.parameter_name,
            each.run_id,
            each.display_name,
            checkpoint=checkpoint or each.checkpoint,
            engine=engine or each.engine,
            precision=precision or each.precision,
            threads=each.threads,
            results_path=results_path or each.results_path,
        )
        for each in trackers
    ]
