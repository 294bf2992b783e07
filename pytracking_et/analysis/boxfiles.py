"""Boxes in text files: all files of a data set parsed in one pass, one row a frame.

A row is x, y, w, h in pixels, separated by comma, tab, semicolon or spaces. Every file goes into
one buffer and through pandas' C parser once: on LaSOT (280 files, 685,360 rows) the setting up of
280 parsers, not the digits, is what takes the time.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ResultsError

Array = NDArray[np.float64]
PathArgument = str | PathLike[str]

_SEPARATORS = bytes.maketrans(b"\t;", b",,")
_COMMA, _NEWLINE = ord(","), ord("\n")
# pandas 3 rounds exactly by default and warns when asked to; pandas 2 rounds only when asked.
_EXACT = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}


class BoxSet(Mapping[str, Array]):
    """Boxes of many sequences in one array; as a mapping: sequence name -> view (frames, 4).

    Attributes:
        names: sequence names in order.
        boxes: (all frames, 4) float64 x, y, w, h, the sequences one after the other.
        offsets: (sequences + 1,) int64; sequence i is boxes[offsets[i]:offsets[i + 1]].
    """

    def __init__(self, names: Sequence[str], boxes: Array, offsets: NDArray[np.int64]):
        self.names = tuple(names)
        self.boxes = boxes
        self.offsets = offsets
        self._index = {name: i for i, name in enumerate(self.names)}
        if len(self._index) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ResultsError(f"sequence names occur twice: {', '.join(twice)}")

    @classmethod
    def of(cls, boxes: Mapping[str, ArrayLike]) -> BoxSet:
        """Gather a mapping sequence -> (frames, 4); a BoxSet is returned as it is."""
        if isinstance(boxes, BoxSet):
            return boxes
        arrays = [as_rows(name, rows) for name, rows in boxes.items()]
        offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
        joined = np.concatenate(arrays) if arrays else np.zeros((0, 4))
        return cls(tuple(boxes), joined, offsets)

    def __getitem__(self, name: str) -> Array:
        i = self._index[name]
        return self.boxes[self.offsets[i] : self.offsets[i + 1]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def as_rows(name: str, rows: ArrayLike) -> Array:
    """Check that `rows` is (frames, 4) and return it as float64; `name` is for the message."""
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ResultsError(f"boxes of sequence {name!r} are not numbers: {error}") from error
    if array.ndim == 1 and array.size == 4:
        array = array.reshape(1, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ResultsError(
            f"boxes of sequence {name!r} have shape {array.shape}; expected (frames, 4): x, y, w, h"
        )
    return array


def read_boxes(paths: Mapping[str, PathArgument]) -> BoxSet:
    """Read one box file per sequence.

    Args:
        paths: sequence name -> text file; rows x, y, w, h, NaN allowed (target absent).

    Raises:
        ResultsError: a file is missing, empty or has a row that is not four numbers; the message
            names file and row.
    """
    values, offsets = _read_columns(list(paths.values()), 4)
    return BoxSet(tuple(paths), values, offsets)


def read_numbers(paths: Mapping[str, PathArgument]) -> dict[str, Array]:
    """Read files with one number a row (`_time.txt`, scores): sequence -> (frames,) float64."""
    values, offsets = _read_columns(list(paths.values()), 1)
    flat = values[:, 0]
    return {name: flat[offsets[i] : offsets[i + 1]] for i, name in enumerate(paths)}


def read_flags(path: PathArgument) -> NDArray[np.bool_]:
    """Read 0/1 flags, one a frame, in one line or one a line (LaSOT full_occlusion.txt)."""
    digits = np.frombuffer(_bytes(Path(path)).translate(None, b", \t\r\n;"), np.uint8) - ord("0")
    if digits.size == 0 or (digits > 1).any():
        raise ResultsError(f"{path} holds no plain list of 0 and 1; expected one flag per frame")
    return digits == 1


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}") from error


def _clean(data: bytes) -> bytes:
    """Bring a file to comma separators, "\\n" line ends, no blank lines, one final "\\n"."""
    data = data.removeprefix(b"\xef\xbb\xbf").translate(_SEPARATORS, b"\r")
    if b" " in data:
        data = re.sub(rb" *, *| +", b",", re.sub(rb"(?m)^ +| +$", b"", data))
    if b"\n\n" in data:
        data = re.sub(rb"\n\n+", b"\n", data)
    return data.strip(b"\n") + b"\n"


def _read_columns(paths: Sequence[PathArgument], columns: int) -> tuple[Array, NDArray[np.int64]]:
    """Rows of all files (rows, columns) and where each file starts."""
    if not paths:
        return np.zeros((0, columns)), np.zeros(1, np.int64)
    texts = [_clean(_bytes(Path(path))) for path in paths]
    for path, text in zip(paths, texts, strict=True):
        if text == b"\n":
            raise ResultsError(f"{path} is empty; expected {columns} number(s) per frame")
    offsets = np.cumsum([0, *(text.count(b"\n") for text in texts)], dtype=np.int64)
    values = _parse(b"".join(texts), columns)
    if values is None:
        raise ResultsError(_locate(paths, texts, columns))
    return values, offsets


def _parse(text: bytes, columns: int) -> Array | None:
    """Numbers (rows, columns), or None where a row has not exactly `columns` numbers.

    pandas alone would fill short rows with NaN, which in an annotation means "absent".
    """
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((characters == _COMMA) | (characters == _NEWLINE))
    if ends.size % columns or ends[0] == 0 or (np.diff(ends) == 1).any():
        return None
    newline = (characters[ends] == _NEWLINE).reshape(-1, columns)
    if newline[:, :-1].any() or not newline[:, -1].all():
        return None
    try:
        frame = pd.read_csv(io.BytesIO(text), header=None, dtype=np.float64, **_EXACT)
    except ValueError:
        return None
    return frame.to_numpy()


def _locate(paths: Sequence[PathArgument], texts: Sequence[bytes], columns: int) -> str:
    """Say which row of which file is wrong; called only when something is."""
    for path, text in zip(paths, texts, strict=True):
        if _parse(text, columns) is not None:
            continue
        for number, row in enumerate(text.splitlines(), 1):
            if _parse(row + b"\n", columns) is None:
                shown = row[:80].decode("utf-8", "replace")
                return f"{path}, row {number}: {shown!r} is not {columns} number(s)"
    return f"cannot parse {paths[0]} and {len(paths) - 1} further file(s) as rows of {columns}"
