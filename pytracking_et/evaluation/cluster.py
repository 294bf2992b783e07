"""The same units on a Dask cluster that is already running (extra `cluster`).

Workers need this package and the frames under the same paths; they do not need the results folder:
what they compute comes back here and is written here. Start each with one thread per task
(`dask worker ADDRESS --nworkers auto --nthreads 1`); see docs/cluster.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from ..errors import DependencyError, ResultsError, pip_line
from ..files import sha256
from ..version import __version__
from .tracker import Tracker
from .units import Outcome, Unit, run_unit, threads_per_worker


def run_on_cluster(
    units: Sequence[Unit], address: str, on_note: Callable[[str], None] = lambda text: None
) -> Generator[tuple[int, Outcome], None, None]:
    """Run units, given order first to last, yielding (index of the unit, outcome) as they end.

    A unit whose worker dies runs again on another; one that takes several workers with it (the
    scheduler's setting `allowed-failures`, 3) has failed. Closing the generator, or Ctrl-C, cancels
    what has not been started.

    Raises:
        DependencyError: dask.distributed is not installed.
        ResultsError: no scheduler answers at `address`, or workers have another version of this
            package, whose boxes may differ.
    """
    with _connect(address) as client:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        versions = client.run(worker_version)
        on_note(f"cluster {address}: {len(versions)} workers")
        # To spare the wait for the first unit; workers that join later are asked by run_remote.
        _require_our_version(versions)
        futures = {
            client.submit(
                run_remote, unit, __version__, key=key, priority=-index, pure=False
            ): index
            for index, (key, unit) in enumerate(zip(_keys(units), units, strict=True))
        }
        try:
            for future in as_completed(futures):
                index = futures.pop(future)
                problem = future.exception()
                if problem is None:
                    yield index, future.result()
                elif isinstance(problem, KilledWorker):
                    line = f"workers died on {units[index]}: out of memory?"
                    yield index, Outcome(None, line, str(problem))
                else:
                    raise problem
        finally:
            client.cancel(list(futures))


def _keys(units: Sequence[Unit]) -> list[str]:
    """Names of the units on the scheduler, of this run alone.

    Dask gives the result of a key that it knows to whoever asks, and the text of a unit says
    nothing of its checkpoint, engine or parameter values.
    """
    run = uuid.uuid4().hex
    return [f"ettrack-{run}-{index}-{unit}" for index, unit in enumerate(units)]


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise DependencyError(f"--cluster needs dask.distributed: {pip_line('cluster')}") from error
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise ResultsError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with `dask scheduler` "
            "and give the address it prints, e.g. tcp://10.0.0.1:8786"
        ) from error


def run_remote(unit: Unit, version: str) -> Outcome:
    """One unit on a Dask worker, with the threads that the worker's OMP_NUM_THREADS leaves.

    Raises:
        ResultsError: the package here is not of `version`, that of the machine that asks, or the
            tracker's weights here are not those there.
    """
    if version != __version__:
        raise ResultsError(
            f"a worker has version {__version__} of pytracking-et, the run {version}; install the "
            "same on all"
        )
    tracker = Tracker.of(unit.spec, unit.run_id)
    if unit.weights:
        # The file may be named by a variable, or lie in the cache, of one machine alone.
        file = tracker.weights_file(tracker.get_parameters())
        if file is None or sha256(file) != unit.weights:
            raise ResultsError(
                f"a worker finds other weights ({file or 'none'}) than the run (sha256 "
                f"{unit.weights[:12]}); name a file that all can read with --checkpoint"
            )
    return run_unit(unit, threads=threads_per_worker(1))


def worker_version() -> str:
    """Version of this package, asked of each worker."""
    return __version__


def _require_our_version(versions: Mapping[str, str]) -> None:
    others = {worker: version for worker, version in versions.items() if version != __version__}
    if others:
        worker, version = next(iter(others.items()))
        raise ResultsError(
            f"{len(others)} workers have another version of pytracking-et (here {__version__}, "
            f"{worker} has {version}); install the same on all"
        )
