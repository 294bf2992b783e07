"""Trackers over data sets: in this process, in N processes, or on a Dask cluster.

All three run the same units; this process alone writes: each result as it comes in, then its entry
in the manifest. So a run that is stopped in any way keeps what is finished, and the same command
goes on from there.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from ..errors import ResultsError
from .progress import Progress
from .run_folder import Report, RunFolder
from .tracker import Tracker
from .units import Outcome, Unit, run_unit, threads_per_worker


def run_dataset(
    dataset: Iterable[Any],
    trackers: Sequence[Tracker],
    debug: int = 0,
    threads: int = 0,
    visdom_info: Mapping[str, Any] | None = None,
    *,
    resume: bool = True,
    cluster: str | None = None,
    bar: bool | None = None,
) -> Report:
    """Run every tracker on every sequence and write the results (pytracking's signature).

    Args:
        dataset: sequences.
        trackers: trackers.
        debug: level; Visdom is shown where > 0, only with threads = 0.
        threads: worker processes; 0 tracks in this process, sequence after sequence.
        visdom_info: `use_visdom`, `server`, `port`.
        resume: keep sequences that are finished with the same tracker, parameters and weights.
        cluster: address of a Dask scheduler; takes the place of `threads`.
        bar: progress bar; None: where stderr is a terminal.

    Returns:
        What was done, kept and failed. A failed sequence does not stop the run.

    Raises:
        ResultsError: the results folder cannot be written, another run holds it, or two of the
            trackers or sequences share a name.
        ParameterError: the tracker cannot be built; nothing has been run then.
        CheckpointError: likewise.
    """
    sequences = list(dataset)
    _refuse_namesakes(sequences, trackers)
    report = Report()
    start = time.perf_counter()
    share = _processor_threads(threads, cluster)
    with ExitStack() as stack:
        opened = [RunFolder(each, report, share, resume) for each in trackers]
        held = [stack.enter_context(closing(each.lock())) for each in opened]
        work = [
            (unit, folder)
            for folder in held
            for unit in folder.plan(sequences, debug, cluster or threads)
        ]
        units = [unit for unit, _ in work]
        progress = stack.enter_context(closing(Progress(units, bar)))
        outcomes = stack.enter_context(
            closing(_outcomes(work, threads, cluster, visdom_info, progress))
        )
        try:
            for index, outcome in outcomes:
                work[index][1].enter(units[index], outcome)
                progress.outcome(index, outcome)
        except KeyboardInterrupt:
            progress.note("stopped; finished sequences are kept, the same command goes on")
            raise
        finally:
            report.seconds = time.perf_counter() - start
    return report


def _refuse_namesakes(sequences: Sequence[Any], trackers: Sequence[Tracker]) -> None:
    folders = Counter(tracker.results_dir for tracker in trackers)
    names = Counter(sequence.name for sequence in sequences)
    for folder, count in folders.items():
        if count > 1:
            raise ResultsError(f"two trackers would write to {folder}; give them run ids")
    for name, count in names.items():
        if count > 1:
            raise ResultsError(f"two sequences are named {name!r} and would write the same files")


def _processor_threads(processes: int, cluster: str | None) -> int | None:
    """Threads a tracker gets; None, its own default, where it has the machine to itself.

    OMP_NUM_THREADS counts there too: not every engine reads it by itself.
    """
    if cluster is None and processes <= 0 and not os.environ.get("OMP_NUM_THREADS"):
        return None
    return threads_per_worker(1 if cluster else processes)


def _outcomes(
    work: list[tuple[Unit, RunFolder]],
    threads: int,
    cluster: str | None,
    visdom_info: Mapping[str, Any] | None,
    progress: Progress,
) -> Generator[tuple[int, Outcome], None, None]:
    """Outcomes with the index into `work`, in the order they end."""
    if not work:
        return
    if cluster is None and threads <= 0:
        for index, (unit, folder) in enumerate(work):
            show = partial(progress.frames, index)
            yield index, run_unit(unit, show, tracker=folder.tracker, visdom_info=visdom_info or {})
        return
    if work[0][0].debug and (visdom_info or {}).get("use_visdom", True):
        progress.note("Visdom is shown with --threads 0 only; this run shows nothing")
    # Longest first, so that no process is left with a long one at the end.
    order = sorted(range(len(work)), key=lambda index: -len(work[index][0].frames))
    units = [work[index][0] for index in order]
    if cluster is not None:
        from .cluster import run_on_cluster

        ended = run_on_cluster(units, cluster, progress.note)
    else:
        from .pool import run_in_processes

        ended = run_in_processes(
            units, threads, lambda place, n: progress.frames(order[place], n), progress.note
        )
    with closing(ended):
        for place, outcome in ended:
            yield order[place], outcome
