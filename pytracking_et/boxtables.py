"""The one reader of tables of numbers: annotations, result files, times, flags.

The dialect, for every file that holds a row of numbers a frame:

* text in UTF-8 (a byte order mark is dropped), lines ended by LF, CR LF or CR;
* a line is a frame; a blank line counts as none only at the end of the file, and is refused
  elsewhere, since all later frames would move up by one;
* numbers have decimal points (2, -3.5, 1e2); NaN in any case is kept and means "absent";
* they are separated by commas, by semicolons, or by blanks (spaces, tabs, no-break spaces), which
  may also stand around a comma or semicolon; lines may differ, but one line that mixes them is
  refused: that is how decimal commas look (120,50;56,50), and half of their digits would be boxes;
* one comma or semicolon may end a line; every line has equally many numbers.

All files asked for together go through pandas' C parser once: on LaSOT (280 files, 685,360 rows)
the setting up of 280 parsers, not the digits, is what takes the time.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import PytrackingETError

Array = NDArray[np.float64]
PathArgument = str | PathLike[str]
# Who asks says what a bad file is to the user: a DatasetError or a ResultsError.
Kind = type[PytrackingETError]

_SEPARATORS = b",;\t"
_TO_COMMA = bytes.maketrans(b";\t", b",,")
_COMMA, _NEWLINE = ord(","), ord("\n")
_NUMERIC = b"0123456789+-.e,\n"


def read_table(path: PathArgument, columns: int | Sequence[int] | None, kind: Kind) -> Array:
    """Rows of one file, (frames, columns) float64.

    Args:
        columns: numbers in a row, or those that are allowed; None: as many as the first row has.

    Raises:
        kind: missing, empty, or a line that is not such a row; names file and line.
    """
    text = _clean(path, kind)
    allowed = [columns] if isinstance(columns, int) else columns
    width = text[: text.index(b"\n")].count(b",") + 1
    if allowed is not None and width not in allowed:
        raise kind(_located(path, text, allowed))
    values = _parse(text, width)
    if values is None:
        raise kind(_located(path, text, [width]))
    return values


def read_tables(
    paths: Sequence[PathArgument], columns: int, kind: Kind
) -> tuple[Array, NDArray[np.int64]]:
    """Rows of several files one after the other, and where each file starts.

    Returns:
        Values (all rows, columns) float64, and offsets (files + 1,): file i is
        values[offsets[i]:offsets[i + 1]].

    Raises:
        kind: as `read_table`, for the first file that has a fault.
    """
    if not paths:
        return np.zeros((0, columns)), np.zeros(1, np.int64)
    texts = [_clean(path, kind) for path in paths]
    offsets = np.cumsum([0, *(text.count(b"\n") for text in texts)], dtype=np.int64)
    values = _parse(b"".join(texts), columns)
    if values is None:
        path, text = next(
            (path, text)
            for path, text in zip(paths, texts, strict=True)
            if _parse(text, columns) is None
        )
        raise kind(_located(path, text, [columns]))
    return values, offsets


def read_flags(path: PathArgument, kind: Kind) -> NDArray[np.bool_]:
    """Flags 0 or 1, one a frame, in one line or one a line (LaSOT's full_occlusion.txt).

    Raises:
        kind: missing, empty, or another word than 0 and 1.
    """
    words = _clean(path, kind).rstrip(b"\n").replace(b"\n", b",").split(b",")
    bad = next((word for word in words if word not in (b"0", b"1")), None)
    if bad is not None:
        shown = bad[:40].decode("utf-8", "replace")
        raise kind(f"{path}: expected flags 0 or 1, found {shown!r}")
    return np.array(words) == b"1"


def read_visible(paths: Sequence[PathArgument], kind: Kind) -> NDArray[np.bool_]:
    """Frames that none of several files of flags hides (LaSOT: occluded, out of view).

    Raises:
        kind: as `read_flags`, or files of different length.
    """
    hidden = [read_flags(path, kind) for path in paths]
    if len({len(one) for one in hidden}) > 1:
        counts = ", ".join(str(len(one)) for one in hidden)
        raise kind(f"{' and '.join(map(str, paths))} differ in length: {counts} flags")
    return ~np.logical_or.reduce(hidden)


def _raw(path: PathArgument, kind: Kind) -> bytes:
    """Content with "\\n" line ends and plain blanks, without a byte order mark."""
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        shown = repr(str(path)) if "\0" in str(path) else path
        raise kind(f"cannot read {shown}: {getattr(error, 'strerror', None) or error}") from error
    if b"\0" in data:
        raise kind(f"{path} holds zero bytes: no text, or UTF-16; save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\xc2\xa0", b" ")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _clean(path: PathArgument, kind: Kind) -> bytes:
    """Bring a file to commas and one final "\\n"; its lines keep their numbers.

    A line that mixes separators keeps its semicolons, by which `_parse` refuses it.
    """
    data = _raw(path, kind) + b"\n"
    odd_tabs = b"\t" in data and any(
        other in data for other in (b",", b";", b"\t\t", b"\t\n", b"\n\t")
    )
    if b" " in data or odd_tabs:
        data = re.sub(rb"[ \t]*([,;\n])[ \t]*", rb"\1", data.lstrip(b" \t"))
        data = re.sub(rb"[ \t]+", b"\t", data)
    data = data.replace(b",\n", b"\n").replace(b";\n", b"\n").rstrip(b"\n") + b"\n"
    if data == b"\n":
        raise kind(f"{path} is empty; expected one row of numbers for each frame")
    if _mixes(data):
        return b"\n".join(
            line.replace(b"\t", b";") if _mixes(line) else line.translate(_TO_COMMA)
            for line in data.split(b"\n")
        )
    return data.translate(_TO_COMMA)


def _mixes(text: bytes) -> bool:
    return sum(separator in text for separator in _SEPARATORS) > 1


def _parse(text: bytes, columns: int) -> Array | None:
    """Numbers (rows, columns), or None where a row has not exactly `columns` numbers.

    pandas alone would fill short rows with NaN, which in an annotation means "absent", and take
    many words for it.
    """
    import pandas as pd  # half a second that most commands can do without

    text = text.lower()
    words = text.translate(None, _NUMERIC)
    if words and (words.replace(b"infinity", b"").replace(b"nan", b"").replace(b"inf", b"") != b""):
        return None
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((characters == _COMMA) | (characters == _NEWLINE))
    if ends.size % columns or ends[0] == 0 or (np.diff(ends) == 1).any():
        return None
    newline = (characters[ends] == _NEWLINE).reshape(-1, columns)
    if newline[:, :-1].any() or not newline[:, -1].all():
        return None
    # pandas 3 rounds exactly by default and warns when asked to; pandas 2 rounds only when asked.
    exact = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
    try:
        frame = pd.read_csv(
            io.BytesIO(text),
            header=None,
            dtype=np.float64,
            keep_default_na=False,
            na_values=["nan", "-nan", "+nan"],
            **exact,
        )
    except ValueError:
        return None
    return frame.to_numpy()


def _located(path: PathArgument, text: bytes, allowed: Sequence[int]) -> str:
    """Say which line is wrong and how; called only when one is."""
    expected = " or ".join(map(str, allowed))
    lines = _raw(path, PytrackingETError).split(b"\n")
    for number, row in enumerate(text.rstrip(b"\n").split(b"\n"), 1):
        count = row.count(b",") + 1
        if count in allowed and row and _parse(row + b"\n", count) is not None:
            continue
        shown = lines[number - 1].strip()[:80].decode("utf-8", "replace")
        if not row:
            return (
                f"{path}, line {number} is blank; a line is a frame, so that none may be left out"
            )
        if b";" in row:
            return (
                f"{path}, line {number}: {shown!r} mixes separators, as decimal commas do; write "
                "decimal points and separate the numbers by commas or tabs alone"
            )
        if count in allowed or _parse(row + b"\n", count) is None:
            return f"{path}, line {number}: {shown!r} is not a row of {expected} number(s)"
        return f"{path}, line {number}: {count} number(s) in {shown!r}, expected {expected}"
    return f"{path} is not a table of {expected} number(s) a line"
