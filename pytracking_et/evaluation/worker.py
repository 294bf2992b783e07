"""What runs inside a worker process: take a unit from the pipe, track it, send the outcome back.

Started by `pool.run_in_processes` under spawn. Messages to the parent, by pipe: ("ready", None)
once, ("progress", frames done) at most some times a second, and ("outcome", Outcome).
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection

from .units import Unit, limit_threads, run_unit

_PROGRESS_SECONDS = 0.2


def main(pipe: Connection, threads: int, crash_file: str) -> None:
    """Serve units until the parent sends None or is gone."""
    # Ctrl-C and a hang-up reach every process of the terminal; the parent alone decides what they
    # mean. SIGTERM is how it ends this one.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # A segmentation fault has no Python traceback; this file is where its stack goes instead.
    with open(crash_file, "w", encoding="utf-8") as crash:  # noqa: PTH123
        faulthandler.enable(crash)
        if hasattr(signal, "SIGUSR1"):
            faulthandler.register(signal.SIGUSR1, crash)  # asked for where it hangs
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
        if frames == 1:
            # By its first frame the tracker has loaded its libraries, which may have reset this.
            limit_threads(threads)
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
