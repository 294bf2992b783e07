"""The unit of work of every runner: one tracker on one sequence, and what came of it.

Both are strings, numbers and lists only. Nothing with an open handle, a closure or a network in it
travels between processes; the other side looks the names up again.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from typing import Any

from ..errors import bounded, error_line
from ..machine import cores
from ..results.files import Result
from ..spec import TrackerSpec

# Some exceptions carry the tensors or the text they are about.
LONGEST_TRACEBACK = 20_000


@dataclass(frozen=True)
class Unit:
    """One tracker on one sequence. `frames` are image paths, `init_box` is x, y, w, h.

    weights: digest of the file that the manifest names; "" where there is none.
    """

    spec: TrackerSpec
    run_id: int | None
    dataset: str
    sequence: str
    frames: tuple[str, ...]
    init_box: tuple[float, ...]
    debug: int = 0
    weights: str = ""

    def __str__(self) -> str:
        run = "" if self.run_id is None else f"_{self.run_id:03d}"
        return f"{self.sequence} ({self.spec}{run})"


@dataclass(frozen=True)
class Outcome:
    """What came of a unit: a result, or None, one line that says why, and the traceback."""

    result: Result | None
    message: str = ""
    traceback: str = ""


# Threads of one process (a Dask worker may run several) take turns: trackers share the network
# and the cores, and a frame's time must be its own.
_turn = threading.Lock()


def run_unit(
    unit: Unit,
    progress: Callable[[int], None] | None = None,
    threads: int | None = None,
    tracker: Any = None,
    visdom_info: Mapping[str, Any] | None = None,
) -> Outcome:
    """Track one sequence; a failure becomes part of the outcome, not an exception.

    Args:
        progress: called with the number of frames done after each frame.
        threads: processor threads of the tracker and of this process; None leaves their defaults.
        tracker: the caller's own Tracker (with Visdom opened); looked up by name where None.
        visdom_info: `use_visdom`, `server`, `port`; None shows nothing.
    """
    from .sequence import Sequence
    from .tracker import Tracker

    def after_frame(frames: int) -> None:
        # By its first frame the tracker has loaded its libraries, which may have reset this.
        if frames == 1 and threads is not None:
            limit_threads(threads)
        if progress is not None:
            progress(frames)

    shown = {"use_visdom": False} if visdom_info is None else visdom_info
    try:
        if tracker is None:
            tracker = Tracker.of(replace(unit.spec, threads=threads), unit.run_id)
        sequence = Sequence(unit.sequence, list(unit.frames), unit.dataset, [list(unit.init_box)])
        with _turn:
            output = tracker.run_sequence(
                sequence, debug=unit.debug, visdom_info=shown, progress=after_frame
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a tracker raises, sys.exit too: the run goes on
        text = bounded(traceback.format_exc(), LONGEST_TRACEBACK)
        return Outcome(None, error_line(error), text)
    return Outcome(Result(output["target_bbox"], output["time"], output["object_presence_score"]))


def threads_per_worker(workers: int) -> int:
    """Threads for each of `workers` processes, so that together they use each core once.

    A smaller OMP_NUM_THREADS of the user's is kept.
    """
    share = max(1, cores() // max(1, workers))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(asked)) if asked.isdigit() and int(asked) > 0 else share


def thread_variables(threads: int) -> dict[str, str]:
    """Environment variables that cap the thread pools of OpenMP, MKL, OpenBLAS and friends."""
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    )
    return dict.fromkeys(names, str(threads))


def limit_threads(threads: int) -> None:
    """Cap OpenCV, and torch if something has loaded it already (its variable counts otherwise)."""
    import cv2

    cv2.setNumThreads(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


_PROGRESS_SECONDS = 0.2


def serve(pipe: Connection, threads: int, crash_file: str) -> None:
    """The life of a worker process: take units from the pipe, track, send the outcomes back.

    Ends when the parent sends None or is gone. Messages to the parent: ("ready", None) once,
    ("progress", frames done) at most some times a second, and ("outcome", Outcome).
    """
    # Ctrl-C and a hang-up reach every process of the terminal; the parent alone decides what they
    # mean. SIGTERM is how it ends this one.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # held while this process loaded
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGHUP))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # A segmentation fault has no Python traceback; this file is where its stack goes instead.
    with open(crash_file, "w", encoding="utf-8") as crash:  # noqa: PTH123
        faulthandler.enable(crash)
        if hasattr(signal, "SIGUSR1"):
            # Asked for where it hangs; with the stack written it ends.
            faulthandler.register(signal.SIGUSR1, crash, chain=True)
        if hasattr(os, "register_at_fork"):
            # A process that the tracker forks must not hold our end open when we are gone.
            os.register_at_fork(after_in_child=pipe.close)
        limit_threads(threads)
        try:
            pipe.send(("ready", None))
            while (unit := pipe.recv()) is not None:
                _serve(pipe, unit, threads)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # the parent is gone; as in _end_with_parent


def _serve(pipe: Connection, unit: Unit, threads: int) -> None:
    last = 0.0

    def progress(frames: int) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            pipe.send(("progress", frames))

    pipe.send(("outcome", run_unit(unit, progress, threads)))


def _end_with_parent() -> None:
    """Leave at once when the parent dies: nobody is there to take the result."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
