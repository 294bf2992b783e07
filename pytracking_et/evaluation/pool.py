"""Worker processes under spawn, on every system, with replacement of those that die.

Our own, because `concurrent.futures` and `multiprocessing.Pool` give up (or hang) when a worker is
killed, and because here a worker needs an index of its own for its device. One pipe a worker, one
unit in flight on it, `connection.wait` on all.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType

from ..errors import ResultsError
from ..files import scratch_folder
from ..process import environment
from .units import Outcome, Unit, serve, thread_variables, threads_per_worker

# WaitForMultipleObjects takes 64 handles, some of which multiprocessing needs itself.
WINDOWS_LIMIT = 61
# A dead worker's pipe and sentinel end with it, unless a process that it had forked holds their
# other ends too: so the system is asked as well.
POLL_SECONDS = 0.5
# A worker that hangs has this long to write down where it does, before it is killed.
STACK_SECONDS = 0.5
ATTEMPTS = 2
STARTS_IN_VAIN = 3


def worker_count(asked: int, units: int) -> int:
    """Processes to start: no more than units, nor than Windows can wait for."""
    limit = WINDOWS_LIMIT if os.name == "nt" else asked
    return max(1, min(asked, units, limit))


def device_names() -> list[str]:
    """CUDA devices to hand out in turn, as CUDA_VISIBLE_DEVICES writes them; [] without any."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    # Not through torch: this process may well do without it, and it takes seconds to load.
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True)
    found = [line for line in listed.stdout.splitlines() if line.startswith(b"GPU ")]
    return [str(index) for index in range(len(found))]


@dataclass
class _Worker:
    index: int
    process: SpawnProcess
    pipe: Connection
    crash_file: Path
    ready: bool = False  # has loaded and waits for units, or has one
    job: tuple[int, int] | None = None  # (index of the unit, attempt)
    since: float = 0.0  # when it got the job, time.monotonic()
    frames: int = 0


def run_in_processes(
    units: Sequence[Unit],
    workers: int,
    on_progress: Callable[[int, int], None] = lambda index, frames: None,
    on_note: Callable[[str], None] = lambda text: None,
    time_limit: float | None = None,
) -> Generator[tuple[int, Outcome], None, None]:
    """Run units, given order first to last, yielding (index of the unit, outcome) as they end.

    A unit whose worker dies (killed, out of memory, segmentation fault) is given to the worker's
    replacement once more; if that dies too it has failed. Closing the generator, or any exception
    in it, Ctrl-C included, ends all workers at once.

    Args:
        workers: processes asked for; see `worker_count`.
        on_progress: called with (index of the unit, frames done); 0 frames when it starts again.
        on_note: called with a line of text on each death of a worker.
        time_limit: seconds after which a unit is ended as failed, its worker with it; None: never.

    Raises:
        ResultsError: workers die before they can take any work.
    """
    with scratch_folder("run") as folder:
        run = _Run(units, folder, on_progress, on_note, time_limit)
        try:
            run.start(worker_count(workers, len(units)))
            yield from run.outcomes()
        finally:
            run.stop()


class _Run:
    """The running processes: starts, feeds, hears and replaces them."""

    def __init__(
        self,
        units: Sequence[Unit],
        folder: Path,
        on_progress: Callable[[int, int], None],
        on_note: Callable[[str], None],
        time_limit: float | None,
    ):
        self.units = units
        self.folder = folder
        self.on_progress = on_progress
        self.on_note = on_note
        self.time_limit = time_limit
        self.queue = deque((index, 1) for index in range(len(units)))
        self.workers: list[_Worker] = []
        self.devices = device_names()
        self.starts_in_vain = 0
        self.threads = 1

    def start(self, count: int) -> None:
        self.threads = threads_per_worker(count)
        for index in range(count):
            self.workers.append(self._start(index))

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        missing = len(self.units)
        while missing:
            self._feed()
            by_pipe = {each.pipe: each for each in self.workers}
            # What a worker said before its death comes before its death.
            for pipe in connection.wait(list(by_pipe), POLL_SECONDS):
                ended = self._hear(by_pipe.pop(pipe))  # type: ignore[call-overload]
                if ended is not None:
                    missing -= 1
                    yield ended
            for pipe, each in by_pipe.items():
                with suppress(BrokenPipeError):  # Windows' word for an end that is closed
                    if pipe.poll():
                        continue
                ended = self._bury(each) if each.process.exitcode is not None else self._end(each)
                if ended is not None:
                    missing -= 1
                    yield ended

    def stop(self) -> None:
        for each in self.workers:
            each.process.terminate()
        for each in self.workers:
            each.process.join(2)
            if each.process.is_alive():
                each.process.kill()
                each.process.join(2)
            each.pipe.close()

    def _start(self, index: int) -> _Worker:
        crash_file = self.folder / f"crash-{index}.txt"
        crash_file.write_text("", encoding="utf-8")
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        variables = thread_variables(self.threads)
        if self.devices:
            variables["CUDA_VISIBLE_DEVICES"] = self.devices[index % len(self.devices)]
        process = context.Process(
            target=serve,
            args=(theirs, self.threads, str(crash_file)),
            name=f"tracker-{index}",
            daemon=True,
        )
        with environment(variables), _without_main_module(), _signals_held():
            process.start()
        theirs.close()
        return _Worker(index, process, ours, crash_file)

    def _feed(self) -> None:
        for each in self.workers:
            if each.ready and each.job is None and self.queue:
                each.job, each.frames, each.since = self.queue.popleft(), 0, time.monotonic()
                # A worker that has just died cannot take it; its end is seen at the next wait.
                with suppress(BrokenPipeError, ConnectionResetError):
                    each.pipe.send(self.units[each.job[0]])

    def _hear(self, each: _Worker) -> tuple[int, Outcome] | None:
        try:
            kind, content = each.pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._bury(each)
        if kind == "ready":
            each.ready, self.starts_in_vain = True, 0
            return None
        assert each.job is not None
        index = each.job[0]
        if kind == "progress":
            each.frames = content
            self.on_progress(index, content)
            return None
        each.job = None
        return index, content

    def _bury(self, dead: _Worker) -> tuple[int, Outcome] | None:
        """Replace a dead worker; its unit is queued again, or fails the second time."""
        if dead.process.exitcode is None:
            dead.process.join(5)
        dead.pipe.close()
        code = dead.process.exitcode
        if not dead.ready:
            self.starts_in_vain += 1
            if self.starts_in_vain >= STARTS_IN_VAIN:
                raise ResultsError(
                    f"worker processes end while starting (exit code {code}); their own message "
                    "stands above. Use --threads 0 to track in one process"
                )
        stack = dead.crash_file.read_text(encoding="utf-8", errors="replace")
        self.workers[self.workers.index(dead)] = self._start(dead.index)
        if dead.job is None:
            return None
        index, attempt = dead.job
        cause = f"worker died ({_cause(code)}) after {dead.frames} frames of {self.units[index]}"
        if attempt < ATTEMPTS:
            self.on_note(f"{cause}; trying it once more")
            self.queue.appendleft((index, attempt + 1))
            self.on_progress(index, 0)
            return None
        text = stack or f"{cause}; no stack: the system ended it from outside\n"
        return index, Outcome(None, f"{cause}, {attempt} times", text)

    def _end(self, each: _Worker) -> tuple[int, Outcome] | None:
        """Kill and replace a worker that is over the time limit; its unit is not tried again."""
        limit = self.time_limit
        if each.job is None or limit is None or time.monotonic() - each.since <= limit:
            return None
        if hasattr(signal, "SIGUSR1") and each.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(each.process.pid, signal.SIGUSR1)
            each.process.join(STACK_SECONDS)
        each.process.kill()
        index, each.job = each.job[0], None
        line = f"no result after {limit:g} s (--time-limit), {each.frames} frames done"
        stack = each.crash_file.read_text(encoding="utf-8", errors="replace")
        self._bury(each)
        return index, Outcome(None, line, stack)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name}: out of memory?" if name == "SIGKILL" else name
    return f"exit code {code}"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Keep Ctrl-C and a hang-up from a worker that is still loading; `serve` ignores them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its own start would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep spawn from importing the caller's script in the child.

    Workers need nothing of it, and a script or notebook without `if __name__ == "__main__"` would
    start the run again in every worker.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
