"""One process at a time for what training writes: a run's folder, a crop store, a feature cache."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pytracking_et.errors import PytrackingETError

log = logging.getLogger(__name__)


@contextmanager
def alone(folder: Path, busy: str, error: type[PytrackingETError] | None = None) -> Iterator[None]:
    """Hold a folder, which is made; the system lets go of it when its holder ends in whatever way.

    Args:
        busy: what to say where another process holds it.
        error: to raise then; None: wait for it.

    Raises:
        PytrackingETError: the folder cannot be written, its file system has no locks, or the work
            meets an error of the system: no training ends in a traceback for a full disk.
    """
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if error is not None:
                raise error(busy) from None
            log.info(busy)
            lock.acquire()
    except (OSError, NotImplementedError) as problem:  # the second is filelock's, for no locks
        raise PytrackingETError(
            f"{folder} cannot be written and locked ({problem}); make room or allow it there, or "
            "name a folder on another disk"
        ) from problem
    try:
        yield
    except BrokenPipeError:  # a reader of the output has gone, see `process.run`
        raise
    except OSError as problem:
        raise PytrackingETError(
            f"the work in {folder} broke off ({problem}); is the disk full, or a folder gone? Mend "
            "that and give the same command: it goes on from what was written"
        ) from problem
    finally:
        lock.release()
