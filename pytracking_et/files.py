"""Files written whole or not at all, read with errors of ours, hashed; and the cache folder."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

from .errors import PytrackingETError

# Longest text of another program's exception that is quoted.
_QUOTED = 300
# What frames of a sequence end in; compared without regard to case.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SCRATCH_LOCK = ".in-use"
# Two seconds in which a file that another program has open may be closed.
_ATTEMPTS, _PAUSE = 20, 0.1


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on error it is removed.

    Beside it, because os.replace is atomic only within one file system. One that is whole and
    cannot take its name stays, and the OSError says where.
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
        with suppress(OSError):  # disks without modes (CIFS, vfat), of which root is the owner
            temporary.chmod(0o666 & ~umask)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    try:
        move(temporary, target)
    except OSError as error:
        reason = f"{error.strerror or error}; what was written is kept as {temporary}"
        raise type(error)(error.errno, reason, str(target)) from error


def move(made: Path, target: Path) -> None:
    """Give a file or folder that is whole its name, in place of a file that was there."""
    _patiently(lambda: made.replace(target))


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    _patiently(lambda: path.unlink(missing_ok=True))


def _patiently(change: Callable[[], object]) -> None:
    for attempt in count(1):
        try:
            change()
            return
        except PermissionError:
            # Windows refuses while another program has the file open, as virus scanners, indexers
            # and readers of ours do for a moment, and Excel or a player for longer.
            if os.name != "nt" or attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE)


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


@contextmanager
def reading(
    path: str | os.PathLike[str], error: type[PytrackingETError], advice: str
) -> Iterator[None]:
    """Turn what a file's content provokes into `error`, which names the file and says what to do.

    For parsers of others (json, zipfile, numpy, pickle) and for taking apart what they return:
    damaged or foreign content makes them raise a dozen kinds of exceptions, and none of them is a
    defect of ours. Errors of ours pass as they are.
    """
    try:
        yield
    except PytrackingETError:
        raise
    except Exception as reason:
        text = f"{type(reason).__name__}: {reason}"[:_QUOTED]
        raise error(f"cannot read {os.fspath(path)} ({text}); {advice}") from reason


def read_json(
    path: str | os.PathLike[str], error: type[PytrackingETError], advice: str
) -> dict[str, Any]:
    """The object in a JSON file in UTF-8; a byte order mark is allowed.

    Raises:
        error: missing, unreadable, no JSON, or JSON that is no object; with the advice.
    """
    with reading(path, error, advice):
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise error(
            f"cannot read {os.fspath(path)} (it holds a {kind}, not an object {{...}}); {advice}"
        )
    return content


def write_json(path: str | os.PathLike[str], content: Any, indent: int = 1, **how: Any) -> None:
    """Write JSON, whole or not at all, with a newline at its end; `how` is for `json.dumps`."""
    with atomic_open(path) as stream:
        stream.write(json.dumps(content, indent=indent, **how) + "\n")


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


def is_image(name: str) -> bool:
    """Whether a file name has the extension of an image, in any case; hidden files are none."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def natural_key(name: str) -> list[Any]:
    """Sort key by which 2.jpg comes before 10.jpg."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if index % 2 else part.lower() for index, part in enumerate(parts)]


def cache_folder() -> Path:
    """Folder for downloads and compiled engines, by the system's convention.

    PYTRACKING_ET_CACHE names it outright; otherwise XDG_CACHE_HOME, LOCALAPPDATA or
    ~/Library/Caches. Not created here.

    Raises:
        PytrackingETError: another user could put files there.
    """
    named = os.environ.get("PYTRACKING_ET_CACHE")
    try:
        folder = Path(named).expanduser() if named else _usual_cache()
    except RuntimeError as error:
        raise PytrackingETError(f"PYTRACKING_ET_CACHE={named!r}: {error}; name a folder") from error
    _check_owner(folder)
    return folder


def _check_owner(folder: Path) -> None:
    """Graphs and weights of the cache are run: whoever writes there decides what we compute."""
    if os.name != "posix":
        return  # Windows gives a user's folders to that user
    try:
        status = folder.stat()
    except OSError:
        return  # not there yet; who cannot be entered is told of where the file is opened
    if status.st_uid not in (os.geteuid(), 0):
        problem = f"belongs to user {status.st_uid}, not to you ({os.geteuid()})"
    elif status.st_mode & stat.S_IWOTH:
        problem = f"can be written by everybody (mode {stat.S_IMODE(status.st_mode):o})"
    else:
        return
    raise PytrackingETError(
        f"cache folder {folder} {problem}, so others could put weights and graphs there; name a "
        "folder of your own with PYTRACKING_ET_CACHE"
    )


def _usual_cache() -> Path:
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
