"""Trackers over data sets: in this process, in N processes, or on a Dask cluster.

All three run the same units; this process alone writes: each result as it comes in, then its entry
in the manifest. So a run that is stopped in any way keeps what is finished, and the same command
goes on from there.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, TextIO

from tqdm import tqdm

from ..errors import ParameterError, ResultsError
from ..names import printable
from ..results.description import Pictures
from .run_folder import Report, RunFolder
from .tracker import Display, Tracker
from .units import Outcome, Unit, run_unit, threads_per_worker

_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {rate_noinv_fmt}, {remaining} left"


class Progress:
    """Counts frames over all units of a run.

    Args:
        bar: a bar; default: where `stream` is a terminal. Otherwise one line a finished sequence.
        stream: default stderr, so that a table on stdout can be piped; under pythonw there is
            none, and nothing is shown.
    """

    def __init__(self, units: list[Unit], bar: bool | None = None, stream: TextIO | None = None):
        self.units = units
        self.stream = stream or sys.stderr
        self.finished = 0
        self._frames = [0] * len(units)
        self._bar = None
        if self.stream is not None and (self.stream.isatty() if bar is None else bar):
            self._bar = tqdm(
                total=sum(len(unit.frames) for unit in units),
                unit=" frames",
                desc=f"0/{len(units)}",
                file=self.stream,
                bar_format=_FORMAT,
                dynamic_ncols=True,
                smoothing=0.1,
            )

    def frames(self, index: int, frames: int) -> None:
        """`frames` of unit `index` are done (fewer than before where it starts again)."""
        self._frames[index] = frames
        if self._bar is not None:
            # update() also keeps tqdm's rate; it takes negative steps too.
            self._bar.update(sum(self._frames) - self._bar.n)

    def outcome(self, index: int, outcome: Outcome) -> None:
        """Unit `index` has ended."""
        unit = self.units[index]
        self.finished += 1
        self.frames(index, len(unit.frames))
        count = f"{self.finished}/{len(self.units)}"
        if outcome.result is None:
            self.note(f"{unit}: FAILED: {outcome.message}")
        if self._bar is not None:
            self._bar.set_description_str(count)
        elif outcome.result is not None:
            seconds = sum(outcome.result.times)
            fps = f"{len(unit.frames) / seconds:.1f} fps" if seconds > 0 else "no time measured"
            self.note(f"[{count}] {unit}: {len(unit.frames)} frames, {fps}")

    def note(self, text: str) -> None:
        """A line of text, above the bar if there is one; a terminal's encoding may lack letters."""
        if self.stream is None:
            return
        text = printable(text, self.stream)
        if self._bar is not None:
            self._bar.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


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
    time_limit: float | None = None,
    by_content: bool = False,
    display: Display | None = None,
) -> Report:
    """Run every tracker on every sequence and write the results (pytracking's signature).

    Args:
        dataset: sequences.
        trackers: trackers.
        debug: level; `display` is opened where > 0, only with threads = 0.
        threads: worker processes; 0 tracks in this process, sequence after sequence.
        visdom_info: `use_visdom`, `server`, `port`.
        resume: keep sequences that are finished with the same tracker, parameters and weights.
        cluster: address of a Dask scheduler; takes the place of `threads`.
        bar: progress bar; None: where stderr is a terminal.
        time_limit: seconds after which a sequence is ended as failed; None: never. Only with
            threads > 0, as only a process of its own can be ended.
        by_content: whether finished results are of the same pictures is told by the contents of
            the frames, not by their sizes and times.
        display: what shows the run, e.g. `Visdom` of `pytracking_et.live.visdom_panels`; None: each
            tracker's own.

    Returns:
        What was done, kept and failed. A failed sequence does not stop the run.

    Raises:
        ResultsError: the results folder cannot be written, another run holds it, it has results
            of the sequences that another program made, or two of the trackers or sequences share
            a name.
        ParameterError: the tracker cannot be built; nothing has been run then.
        CheckpointError: likewise.
    """
    sequences = list(dataset)
    _refuse_namesakes(sequences, trackers)
    _check_limit(time_limit, threads, cluster)
    report = Report()
    start = time.perf_counter()
    share = _processor_threads(threads, cluster)
    with ExitStack() as stack:
        opened = [RunFolder(each, report, share, resume) for each in trackers]
        for folder in opened:
            folder.tracker.display = display or folder.tracker.display
        pictures = {each.name: Pictures(each.frames, by_content) for each in sequences}
        for folder in opened:
            folder.refuse_clashes(pictures)
            folder.refuse_foreign(pictures)
        held = [stack.enter_context(closing(each.lock())) for each in opened]
        work = [
            (unit, folder)
            for folder in held
            for unit in folder.plan(sequences, pictures, debug, "cluster" if cluster else threads)
        ]
        units = [unit for unit, _ in work]
        progress = stack.enter_context(closing(Progress(units, bar)))
        outcomes = stack.enter_context(
            closing(_outcomes(work, threads, cluster, visdom_info, progress, time_limit))
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


def _check_limit(limit: float | None, threads: int, cluster: str | None) -> None:
    if limit is None:
        return
    if not limit > 0:
        raise ParameterError(f"--time-limit {limit:g} is not a positive number of seconds")
    if cluster is not None or threads <= 0:
        raise ParameterError(
            f"--time-limit {limit:g} needs --threads 1 or more: only a process of its own can be "
            "ended"
        )


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
    time_limit: float | None,
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
            units,
            threads,
            lambda place, n: progress.frames(order[place], n),
            progress.note,
            time_limit,
        )
    with closing(ended):
        for place, outcome in ended:
            yield order[place], outcome
