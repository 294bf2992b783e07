"""Boxes of many sequences in one array, and the reading of their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxtables import Array, PathArgument, read_tables
from ..errors import ResultsError


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
        paths: sequence name -> text file (`boxtables`); rows x, y, w, h, NaN where the target is
            absent.

    Raises:
        ResultsError: a file is missing, empty or has a row that is not four numbers; the message
            names file and line.
    """
    values, offsets = read_tables(list(paths.values()), 4, ResultsError)
    return BoxSet(tuple(paths), values, offsets)


def read_numbers(paths: Mapping[str, PathArgument]) -> dict[str, Array]:
    """Read files with one number a row (`_time.txt`, scores): sequence -> (frames,) float64."""
    values, offsets = read_tables(list(paths.values()), 1, ResultsError)
    flat = values[:, 0]
    return {name: flat[offsets[i] : offsets[i + 1]] for i, name in enumerate(paths)}
