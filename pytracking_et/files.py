"""Files written whole or not at all, content hashes, and the cache folder."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

SCRATCH_LOCK = ".in-use"


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on error it is removed.

    Beside it, because os.replace is atomic only within one file system.
    """
    target = Path(path)
    if target.is_dir():
        # Now, not after the work whose outcome could not be put there.
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=f".tmp{target.suffix}", dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private (0600); results are meant to be read by colleagues.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def atomic_open(path: str | os.PathLike[str], mode: str = "w", **keywords: Any) -> Iterator[IO]:
    """Open `path` for writing so that readers see the old file or the complete new one.

    Text is UTF-8 with "\\n" line ends on every system unless keywords say otherwise.
    """
    if "b" not in mode:
        keywords.setdefault("encoding", "utf-8")
        keywords.setdefault("newline", "\n")
    with atomic_path(path) as temporary, temporary.open(mode, **keywords) as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """A temporary folder for one block; those of processes that were killed are removed first.

    Args:
        kind: which folders are of one kind: they are called `ettrack-<kind>-...`.
    """
    from filelock import FileLock

    prefix = f"ettrack-{kind}-"
    _remove_scratch(prefix)
    with (
        tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder,
        # The system lets go of it when its holder ends in whatever way.
        FileLock(Path(folder, SCRATCH_LOCK)),
    ):
        yield Path(folder)


def remove_old(folder: Path, pattern: str, seconds: float = 86400.0) -> None:
    """Remove sub-folders that nothing has been put into for so long: of processes that died."""
    for path in folder.glob(pattern):
        with suppress(OSError):  # another process removes it too
            if path.is_dir() and time.time() - path.stat().st_mtime > seconds:
                shutil.rmtree(path)


def _remove_scratch(prefix: str) -> None:
    from filelock import FileLock, Timeout

    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        lock = folder / SCRATCH_LOCK
        # Another user's, or one that is being made, is let alone, and so is one that has gone.
        with suppress(OSError, Timeout):
            if folder.is_symlink() or (os.name != "nt" and folder.stat().st_uid != os.getuid()):
                continue
            if lock.is_file():
                with FileLock(lock, timeout=0):
                    pass
                shutil.rmtree(folder)


def sha256(path: str | os.PathLike[str]) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Folder for downloads and compiled engines, by the system's convention.

    PYTRACKING_ET_CACHE names it outright; otherwise XDG_CACHE_HOME, LOCALAPPDATA or
    ~/Library/Caches. Not created here.
    """
    named = os.environ.get("PYTRACKING_ET_CACHE")
    if named:
        return Path(named)
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif os.uname().sysname == "Darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pytracking_et"
