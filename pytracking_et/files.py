"""Files and videos written whole or not at all, content hashes, and the cache folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .errors import PytrackingETError


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


def video_problem(path: Path, frames: int) -> str | None:
    """Why a finished video does not hold `frames` frames, or None: encoders say nothing of it."""
    if frames == 0:
        return "no frame to write"
    reason = "is the disk full?"
    try:
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())  # quotas and network folders may complain only here
    except OSError as error:
        reason = f"{error.strerror}."
    else:
        if _count_frames(path) >= frames:
            return None
    return (
        f"the video cannot be written whole; {reason} It is thrown away, and a file that was there "
        "before is left as it was; make room, or name another folder"
    )


def _count_frames(path: Path) -> int:
    """Frames that can be read back from a video; they are not decoded."""
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    if not capture.isOpened():
        # No FFmpeg in this OpenCV, or one that hands out no packets of this codec.
        capture = cv2.VideoCapture(str(path))
    found = 0
    while capture.grab():
        found += 1
    capture.release()
    return found


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
        base = Path(os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local")
    elif os.uname().sysname == "Darwin":
        base = home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return base / "pytracking_et"


def home() -> Path:
    """The user's home folder.

    Services and containers may have none: HOME is unset or empty, and the user unknown to the
    system. Theirs is a temporary folder, which only they can read.

    Raises:
        PytrackingETError: that folder belongs to somebody else.
    """
    if os.name == "nt":
        return Path.home()
    named = os.environ.get("HOME")
    if named:
        return Path(named)
    import pwd

    user = os.getuid()
    try:
        return Path(pwd.getpwuid(user).pw_dir or "/")
    except KeyError:
        folder = Path(tempfile.gettempdir()) / f"pytracking_et-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid != user:
        raise PytrackingETError(f"HOME is not set, and {folder} belongs to another user; set HOME")
    return folder
