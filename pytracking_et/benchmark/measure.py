"""Run subjects in their own processes, block by block in turn."""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, PytrackingETError
from ..process import environment
from .subjects import Step, Subject, open_subject

# Frames per turn, and the pause in which threads of the last subject stop spinning.
BLOCK, PAUSE = 8, 0.1
# A subject that needs longer to open (export included) has hung.
OPEN_SECONDS = 300


@dataclass(frozen=True)
class Measurement:
    """Figures of one subject; times are medians in milliseconds unless they say otherwise.

    Attributes:
        fps: 1 / median of the whole step.
        p95: 95th percentile of the whole step.
        memory: resident set of the process in MB (10^6 bytes), None where the system has none.
        start: seconds from starting the process to its first box.
        ratio: fps against the plain network call's with as many threads, None without that row.
        error: why there are no figures.
    """

    subject: Subject
    crop: float = 0.0
    network: float = 0.0
    decode: float = 0.0
    total: float = 0.0
    p95: float = 0.0
    fps: float = 0.0
    memory: float | None = None
    start: float = 0.0
    ratio: float | None = None
    frames: int = 0
    error: str = ""

    def row(self) -> dict[str, Any]:
        """Everything as JSON."""
        fields = asdict(self)
        return {**fields.pop("subject"), "label": self.subject.label, **fields}


def resident_memory(peak: bool = False) -> float | None:
    """Resident set of this process in MB, now or at its largest; None where the system is silent.

    Systems other than Linux tell the largest alone.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux a child inherits its parent's peak there.
        name = "VmHWM" if peak else "VmRSS"
        for line in status.read_text("ascii", "replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / 1e6
    with suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6
    return None


def work(connection: Any, subject: Subject, clip: str, box: NDArray[np.float64]) -> None:
    """Body of a subject's process: open, start, then a block of frames per message."""
    try:
        running = open_subject(subject)
        frames = _frames(clip, 0, 2)
        running.start(frames[0], box)
        running.step(frames[1])
    except (PytrackingETError, ImportError) as error:
        connection.send(("error", f"{type(error).__name__}: {error}"))
        return
    connection.send(("ready", resident_memory()))
    while True:
        message = connection.recv()
        if message is None:
            connection.send(("memory", resident_memory()))
            return
        first, last = message
        if first == 1:
            running.start(_frames(clip, 0, 1)[0], box)
        # Read first: reading frames is not part of any step.
        frames = _frames(clip, first, last)
        connection.send(("steps", [tuple(running.step(frame)) for frame in frames]))


def _frames(clip: str, first: int, last: int) -> list[NDArray[np.uint8]]:
    # Mapped for a moment only: pages of the clip are no memory of the tracker's.
    mapped = np.load(clip, mmap_mode="r")
    return [np.array(mapped[index]) for index in range(first, last)]


class _Process:
    def __init__(self, subject: Subject, clip: str, box: NDArray[np.float64]) -> None:
        context = multiprocessing.get_context("spawn")
        self.subject = subject
        self.steps: list[Step] = []
        self.memory: float | None = None
        self.error = ""
        self.connection, theirs = context.Pipe()
        began = time.perf_counter()
        self.process = context.Process(target=work, args=(theirs, subject, clip, box), daemon=True)
        with environment({"OMP_NUM_THREADS": str(subject.threads)}):
            self.process.start()
        theirs.close()
        kind, value = self._answer(OPEN_SECONDS)
        self.start = time.perf_counter() - began
        if kind == "error":
            self.error = value

    def _answer(self, seconds: float) -> tuple[str, Any]:
        try:
            if self.connection.poll(seconds):
                return self.connection.recv()
        except (EOFError, ConnectionError):
            return "error", f"the process ended (exit code {self.process.exitcode})"
        return "error", f"no answer within {seconds} s"

    def run(self, first: int, last: int, keep: bool) -> None:
        with suppress(ConnectionError):  # it has ended, which the answer says
            self.connection.send((first, last))
        kind, value = self._answer(OPEN_SECONDS)
        if kind == "error":
            self.error = value
        elif keep:
            self.steps += [Step(*step) for step in value]

    def close(self) -> None:
        with suppress(OSError):
            if not self.error:
                self.connection.send(None)
                kind, value = self._answer(10)
                self.memory = None if kind == "error" else value
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()


def measure(
    rows: Sequence[Subject],
    frames: Sequence[NDArray[np.uint8]],
    box: NDArray[np.float64],
    rounds: int = 4,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Measurement]:
    """Measure subjects on one clip.

    Args:
        rows: subjects; all their processes live at once, idle but for their turn.
        frames: (H, W, 3) uint8 RGB, at least a block and one.
        box: x, y, w, h of the target in the first frame.
        rounds: how often the clip is gone through, after a first pass of one block that is not
            counted.
    """
    if len(frames) <= BLOCK:
        raise EngineError(f"the clip has {len(frames)} frames; give more than {BLOCK}")
    sizes = sorted({frame.shape[1::-1] for frame in frames})
    if len(sizes) > 1:
        raise EngineError(
            f"the clip has frames of several sizes: {sizes[:3]}; give one of one size"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clip = str(Path(folder) / "clip.npy")
        np.save(clip, np.stack(frames))
        processes: list[_Process] = []
        try:
            for row in rows:
                processes.append(_Process(row, clip, box))
                state = processes[-1].error or f"{processes[-1].start:.1f} s to the first box"
                progress(f"{row.label}, {row.threads} thread(s): {state}")
            _rounds(processes, len(frames), rounds, progress)
        finally:
            for process in processes:
                process.close()
    return _compared([_summary(process) for process in processes])


def _rounds(
    processes: list[_Process], count: int, rounds: int, progress: Callable[[str], None]
) -> None:
    order = random.Random(0)
    for number in range(rounds + 1):
        progress(f"round {number} of {rounds}")
        starts = range(1, count - BLOCK + 1, BLOCK)
        for first in starts if number else starts[:1]:
            turn = [process for process in processes if not process.error]
            # Another order each time: nobody always runs after the one that heats the CPU.
            order.shuffle(turn)
            for process in turn:
                time.sleep(PAUSE)
                process.run(first, first + BLOCK, keep=number > 0)


def _summary(process: _Process) -> Measurement:
    if process.error or not process.steps:
        return Measurement(process.subject, start=process.start, error=process.error or "no steps")
    steps = np.array(process.steps) * 1000
    crop, network, decode, total = (float(v) for v in np.median(steps, axis=0))
    p95 = float(np.percentile(steps[:, 3], 95))
    return Measurement(
        process.subject, crop, network, decode, total, p95, 1000 / total, process.memory,
        process.start, frames=len(steps),
    )  # fmt: skip


def _compared(results: list[Measurement]) -> list[Measurement]:
    """Fill in the ratio of a whole step's speed to that of the plain network's call alone."""
    plain = {r.subject.threads: r.network for r in results if r.subject.kind == "plain"}
    compared = []
    for result in results:
        base = plain.get(result.subject.threads)
        ratio = base / result.total if base and result.total else None
        compared.append(replace(result, ratio=ratio))
    return compared
