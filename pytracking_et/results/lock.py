"""One run at a time in a results folder.

The lock is the operating system's (through filelock), which lets go of it when the process that
holds it ends in whatever way: a lock left by a killed run is taken over without a question.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from ..errors import ResultsError
from ..files import atomic_open
from .files import unwritable

LOCK_FILE = ".lock"
OWNER_FILE = ".lock-owner.json"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold `folder` (made if missing) for this process.

    Raises:
        ResultsError: another process holds it (the message names its pid and host), or the folder
            cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise ResultsError(
            f"another run is writing to {folder} ({_owner(folder)}); wait for it, stop it, or "
            "name another folder with --results"
        ) from error
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        _sign(folder)
        yield
    finally:
        with suppress(OSError):
            (folder / OWNER_FILE).unlink(missing_ok=True)
        lock.release()


def _sign(folder: Path) -> None:
    owner = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    try:
        # A file of its own: on Windows the locked one cannot be read by others.
        with atomic_open(folder / OWNER_FILE) as stream:
            json.dump(owner, stream)
    except OSError as error:
        raise unwritable(folder, error) from error


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER_FILE).read_text(encoding="utf-8"))
        return f"pid {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return "its owner has not signed yet"
