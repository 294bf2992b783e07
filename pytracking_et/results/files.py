"""Result files of one sequence, byte-compatible with pytracking's, plus the sub-pixel boxes.

    <folder>/<sequence>.txt                           x y w h, tab, integers truncated toward zero
    <folder>/<sequence>_float.txt                     x y w h, tab, %.4f (ours)
    <folder>/<sequence>_time.txt                      seconds a frame, %f
    <folder>/<sequence>_object_presence_scores.txt    score a frame, %f

One line a frame, the first frame included; boxes in pixels, 0-based. Each file is written whole or
not at all and the box file last, so that its presence says that all four are complete.

One run at a time writes to a folder (`run_lock`). The lock is the operating system's (through
filelock), which lets go of it when the process that holds it ends in whatever way: a lock left by
a killed run is taken over without a question.
"""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..boxes import unusable
from ..boxtables import read_table
from ..errors import ResultsError
from ..files import atomic_open, remove
from ..names import check_name

FLOAT_SUFFIX = "_float.txt"
TIME_SUFFIX = "_time.txt"
SCORE_SUFFIX = "_object_presence_scores.txt"
SUFFIXES = (".txt", FLOAT_SUFFIX, TIME_SUFFIX, SCORE_SUFFIX)
LOCK_FILE = ".lock"
OWNER_FILE = ".lock-owner.json"


@dataclass(frozen=True)
class Result:
    """What a tracker said of one sequence, one entry a frame (plain lists: cheap to send).

    Attributes:
        boxes: x, y, w, h in pixels, 0-based.
        times: seconds.
        scores: 0..1, empty where the tracker reports none.
    """

    boxes: list[list[float]]
    times: list[float]
    scores: list[float] = field(default_factory=list)


def format_boxes(boxes: Iterable[Sequence[float]]) -> str:
    """pytracking's box file: `66.7 -> 66`, `-0.9 -> 0`, tabs.

    >>> format_boxes([[66.7, -0.9, 10, 20.5]])
    '66\\t0\\t10\\t20\\n'
    """
    return "".join("\t".join(str(math.trunc(v)) for v in box) + "\n" for box in boxes)


def format_float_boxes(boxes: Iterable[Sequence[float]]) -> str:
    """Sub-pixel boxes, four decimals, tabs."""
    return "".join("\t".join(f"{v:.4f}" for v in box) + "\n" for box in boxes)


def format_values(values: Iterable[float]) -> str:
    """One `%f` a line (times in seconds, scores)."""
    return "".join(f"{value:f}\n" for value in values)


def kind_of(name: str, beside: Collection[str]) -> str:
    """Suffix of a result file's kind; ".txt" for boxes, also of a sequence called `half_time`.

    Args:
        beside: names of the files in its folder.
    """
    kinds = (suffix for suffix in SUFFIXES[1:] if name.endswith(suffix))
    timed = f"{name.removesuffix(SUFFIXES[0])}{TIME_SUFFIX}" in beside
    return SUFFIXES[0] if timed else next(kinds, SUFFIXES[0])


def result_paths(folder: Path, sequence: str) -> dict[str, Path]:
    """Paths of a sequence's files by kind: scores, time, float, boxes (the order of writing).

    Raises:
        ResultsError: no files can be called so (`names.check_name`).
    """
    check_name(sequence, "sequence name", ResultsError)
    return {
        "scores": folder / f"{sequence}{SCORE_SUFFIX}",
        "time": folder / f"{sequence}{TIME_SUFFIX}",
        "float": folder / f"{sequence}{FLOAT_SUFFIX}",
        "boxes": folder / f"{sequence}.txt",
    }


def save(folder: Path, sequence: str, result: Result) -> None:
    """Write the files of one sequence, the box file last.

    Raises:
        ResultsError: the lists differ in length, a box is not finite, or the disk is full or not
            writable; files of other sequences are untouched, none of this one is left half.
    """
    frames = len(result.boxes)
    if len(result.times) != frames or len(result.scores) not in (0, frames):
        raise ResultsError(
            f"sequence {sequence!r}: {frames} boxes but {len(result.times)} times and "
            f"{len(result.scores)} scores; give one of each a frame"
        )
    for index, box in enumerate(result.boxes):
        if len(box) != 4 or unusable(box)[0]:
            raise ResultsError(
                f"sequence {sequence!r}, frame {index}: box {list(box)} is not four finite numbers "
                "x, y, w, h with w, h >= 0"
            )
    paths = result_paths(folder, sequence)
    texts = {
        "scores": format_values(result.scores),
        "time": format_values(result.times),
        "float": format_float_boxes(result.boxes),
        "boxes": format_boxes(result.boxes),
    }
    if not result.scores:
        del texts["scores"]
    try:
        _write_together([(paths[kind], text) for kind, text in texts.items()])
        if not result.scores:
            remove(paths["scores"])
    except OSError as error:
        raise unwritable(folder, error) from error


def _write_together(files: list[tuple[Path, str]]) -> None:
    """Replace all files, the last of the list last, or on an error none."""
    with ExitStack() as stack:
        # Left in reverse order, so entered in reverse.
        for path, text in reversed(files):
            stream = stack.enter_context(atomic_open(path))
            stream.write(text)
            # A full disk must show now, while nothing has been replaced.
            stream.flush()
            os.fsync(stream.fileno())
        # While a box file stands, the files beside it are its own: an old one goes first.
        remove(files[-1][0])


def unwritable(folder: Path, error: OSError) -> ResultsError:
    """The error for a results folder that cannot be written, saying what became of the rest."""
    reason = error.strerror or str(error)
    return ResultsError(
        f"cannot write results to {folder}: {reason}; finished sequences are kept: make room or "
        "allow writing there, or name another folder with --results, then run the same command "
        "to go on"
    )


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed run left; call only while holding the folder's lock."""
    for path in folder.glob(".*.tmp*"):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error


def load_boxes(folder: Path, sequence: str) -> NDArray[np.float64]:
    """Boxes of one sequence, N x 4, x, y, w, h in pixels.

    Those of `<sequence>_float.txt`; pytracking's own results have none, then the integers.

    Raises:
        ResultsError: missing, empty or malformed (`boxtables`); names file and line. Or the two
            are of different runs.
    """
    paths = result_paths(folder, sequence)
    whole = read_table(paths["boxes"], 4, ResultsError)
    if not paths["float"].is_file():
        return whole
    fine = read_table(paths["float"], 4, ResultsError)
    refuse_other_run(paths["float"], fine, whole)
    return fine


def refuse_other_run(path: Path, fine: NDArray[np.float64], whole: NDArray[np.float64]) -> None:
    """Refuse sub-pixel boxes that are not those of the box file beside them.

    Other harnesses replace `<sequence>.txt` and leave our `<sequence>_float.txt` as it was.

    Args:
        path: of the sub-pixel boxes.
        fine: sub-pixel boxes (N, 4).
        whole: boxes (N, 4) of the box file.

    Raises:
        ResultsError: more than rounding lies between them.
    """
    # Truncation takes less than a pixel, and four decimals may round up to the next.
    if len(fine) != len(whole) or (np.abs(fine - whole) > 1.0001).any():
        plain = path.name.removesuffix(FLOAT_SUFFIX) + ".txt"
        raise ResultsError(
            f"{path} and {plain} beside it are of different runs: another program has replaced "
            "one of them; remove the older one, or run the sequence again"
        )


def load_values(folder: Path, sequence: str, kind: str) -> NDArray[np.float64]:
    """Times (kind `time`, seconds) or scores (kind `scores`) of one sequence, N values."""
    return read_table(result_paths(folder, sequence)[kind], 1, ResultsError)[:, 0]


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
    except NotImplementedError as error:  # filelock's word, for flock's ENOSYS
        raise ResultsError(
            f"the file system of {folder} has no locks, which keep two runs out of one folder; "
            "name a folder on another with --results"
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
