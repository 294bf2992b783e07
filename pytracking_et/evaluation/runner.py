"""Trackers over data sets: in this process, in N processes, or on a Dask cluster.

All three run the same units; this process alone writes: each result as it comes in, then its entry
in the manifest. So a run that is stopped in any way keeps what is finished, and the same command
goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DatasetError, ResultsError
from ..files import sha256
from . import results
from .lock import run_lock
from .machine import describe_machine
from .manifest import Manifest, describe_parameters, fingerprint
from .progress import Progress
from .sequence import cached_listing
from .tracker import Tracker
from .units import Outcome, Unit, run_unit

LOG_FILE = "failures.log"


@dataclass
class Report:
    """How a run went: names as `sequence (tracker/parameter)`."""

    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # finished by an earlier run
    failed: dict[str, str] = field(default_factory=dict)  # name -> one line
    logs: list[str] = field(default_factory=list)  # files with the tracebacks
    frames: int = 0
    seconds: float = 0.0  # wall time
    complete: dict[str, list[str]] = field(default_factory=dict)  # results_dir -> sequences

    def finished(self, tracker: Tracker) -> list[str]:
        """Names of the sequences whose results are complete in the tracker's folder."""
        return self.complete.get(tracker.results_dir, [])

    def summary(self) -> str:
        """A few lines for people; names every failure."""
        rate = f" ({self.frames / self.seconds:.1f} frames/s)" if self.frames else ""
        lines = [
            f"{len(self.done)} sequences tracked, {len(self.kept)} kept from earlier runs, "
            f"{len(self.failed)} failed; {self.frames} frames in {self.seconds:.1f} s{rate}"
        ]
        lines += [f"  FAILED {name}: {line}" for name, line in self.failed.items()]
        lines += [f"  tracebacks: {path}" for path in self.logs]
        return "\n".join(lines)


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
        ResultsError: the results folder cannot be written, or another run holds it.
        ParameterError, CheckpointError: the tracker cannot be built; nothing has been run then.
    """
    sequences = list(dataset)
    folders = [tracker.results_dir for tracker in trackers]
    for folder in folders:
        if folders.count(folder) > 1:
            raise ResultsError(f"two trackers would write to {folder}; give them run ids")
    report = Report()
    start = time.perf_counter()
    with ExitStack() as stack:
        books = [stack.enter_context(closing(_Book(tracker, report))) for tracker in trackers]
        work = [
            (unit, book)
            for book in books
            for unit in book.plan(sequences, resume, debug, cluster or threads)
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


def _outcomes(
    work: list[tuple[Unit, _Book]],
    threads: int,
    cluster: str | None,
    visdom_info: Mapping[str, Any] | None,
    progress: Progress,
) -> Generator[tuple[int, Outcome], None, None]:
    """Outcomes with the index into `work`, in the order they end."""
    if not work:
        return
    if cluster is None and threads <= 0:
        for index, (unit, book) in enumerate(work):
            show = partial(progress.frames, index)
            yield index, run_unit(unit, show, tracker=book.tracker, visdom_info=visdom_info)
        return
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


class _Book:
    """One tracker's results folder, locked: what is there, what is to do, what came in."""

    def __init__(self, tracker: Tracker, report: Report):
        self.tracker = tracker
        self.report = report
        self.folder = Path(tracker.results_dir)
        self.start = time.perf_counter()
        self.failed: dict[str, str] = {}
        # Before anything is written: a tracker that cannot be built must leave no folder behind.
        self.settings, self.fingerprint = _settings(tracker)
        self._look = cached_listing()
        self._held = ExitStack()
        self._held.enter_context(run_lock(self.folder))
        try:
            results.remove_leftovers(self.folder)
            self.manifest = Manifest.open(
                self.folder, tracker.name, tracker.parameter_name, tracker.run_id
            )
        except BaseException:
            self._held.close()
            raise

    def plan(
        self, sequences: list[Any], resume: bool, debug: int, processes: int | str
    ) -> list[Unit]:
        """Units still to run. Writes the manifest, so a full disk is found before hours of work."""
        units = []
        for sequence in sequences:
            unit = self._unit(sequence, debug)
            if unit is None:
                continue
            done = resume and self.manifest.is_done(
                unit.sequence, self.fingerprint, unit.dataset, len(unit.frames), unit.init_box
            )
            if done:
                self.report.kept.append(str(unit))
                self._complete(unit)
            elif not self._has_missing_files(sequence, unit):
                units.append(unit)
        self.manifest.begin(self.fingerprint, {**self.settings, "processes": processes})
        self.manifest.write()
        return units

    def _unit(self, sequence: Any, debug: int) -> Unit | None:
        tracker = self.tracker
        try:
            box = sequence.init_info()["init_bbox"]
            if isinstance(box, Mapping):
                raise DatasetError("has several targets; make one Sequence of each")
            frames = tuple(str(frame) for frame in sequence.frames)
        except DatasetError as error:
            self._fail(f"{sequence.name} ({tracker.name}/{tracker.parameter_name})", str(error), "")
            return None
        return Unit(
            tracker.name,
            tracker.parameter_name,
            tracker.run_id,
            tracker.checkpoint,
            tracker.engine,
            sequence.dataset,
            sequence.name,
            frames,
            tuple(float(value) for value in box),
            debug,
        )

    def _has_missing_files(self, sequence: Any, unit: Unit) -> bool:
        try:
            missing = sequence.missing_files(self._look)
        except DatasetError as error:
            self._fail(str(unit), str(error), "")
            return True
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            self._fail(str(unit), f"missing {missing[0]}{more}", "\n".join(missing))
        return bool(missing)

    def _complete(self, unit: Unit) -> None:
        self.report.complete.setdefault(self.tracker.results_dir, []).append(unit.sequence)

    def enter(self, unit: Unit, outcome: Outcome) -> None:
        """Write what came in: results and their manifest entry, or the failure and its log."""
        if outcome.result is None:
            self._fail(str(unit), outcome.message, outcome.traceback)
            return
        if len(outcome.result.boxes) != len(unit.frames):
            count = len(outcome.result.boxes)
            self._fail(str(unit), f"{count} boxes for {len(unit.frames)} frames", "")
            return
        results.save(self.folder, unit.sequence, outcome.result)
        self.manifest.record(
            unit.sequence, self.fingerprint, unit.dataset, unit.init_box, outcome.result.times
        )
        self.manifest.write()
        self.report.done.append(str(unit))
        self._complete(unit)
        self.report.frames += len(unit.frames)

    def _fail(self, name: str, line: str, traceback: str) -> None:
        self.failed[name] = self.report.failed[name] = line
        log = self.folder / LOG_FILE
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        try:
            with log.open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(f"=== {when} {name}: {line}\n{traceback.rstrip()}\n\n")
        except OSError as error:
            raise results.unwritable(self.folder, error) from error
        if str(log) not in self.report.logs:
            self.report.logs.append(str(log))

    def close(self) -> None:
        """Enter the wall time and let go of the folder."""
        if hasattr(self.tracker.visdom, "close"):
            self.tracker.visdom.close()
        with self._held:
            if self.fingerprint in self.manifest.content["settings"]:
                self.manifest.end(self.fingerprint, time.perf_counter() - self.start, self.failed)
                self.manifest.write()


def _settings(tracker: Tracker) -> tuple[dict[str, Any], str]:
    """What goes into the manifest about a tracker, and its fingerprint."""
    params = tracker.get_parameters()
    weights = tracker.weights_file(params)
    digest = sha256(weights) if weights is not None else str(tracker.checkpoint or "")
    described = describe_parameters(params)
    settings = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "parameters": described,
        "engine": getattr(params, "engine", None),
        "weights": None if weights is None else {"path": str(weights), "sha256": digest},
        **describe_machine(),
    }
    return settings, fingerprint(tracker.name, tracker.parameter_name, described, digest)
