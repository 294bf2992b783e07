"""Files written whole or not at all, content hashes, names of images, and the cache folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

# What frames of a sequence end in; compared without regard to case.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on error it is removed.

    Beside it, because os.replace is atomic only within one file system.
    """
    target = Path(path)
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


def sha256(path: str | os.PathLike[str]) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def is_image(name: str) -> bool:
    """Whether a file name has the extension of an image, in any case; hidden files are none."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


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
