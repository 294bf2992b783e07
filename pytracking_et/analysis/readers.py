"""Boxes of many sequences in one array; ground truth from folders, files and sequence objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxes import as_rows
from ..boxtables import Array, PathArgument, read_tables, read_visible
from ..errors import DatasetError, ResultsError
from ..files import read_json, reading
from .rules import refuse_hidden


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
        arrays = [as_rows(rows, f"sequence {name!r}", ResultsError) for name, rows in boxes.items()]
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


def read_ground_truth(folder: PathArgument) -> BoxSet:
    """Read a folder of `<sequence>.txt` annotations."""
    root = Path(folder)
    listed = sorted(root.iterdir()) if root.is_dir() else []
    # Archives made on macOS hold a hidden file beside each.
    seen = [file for file in listed if file.name[0] != "."]
    files = {file.stem: file for file in seen if file.suffix.lower() == ".txt"}
    if not files:
        raise DatasetError(f"no annotations at {root}; expected a folder of <sequence>.txt files")
    return read_boxes(files)


def read_visibility(path: PathArgument) -> dict[str, NDArray[np.bool_]]:
    """Read visibility flags: sequence -> (frames,) True where the target can be seen.

    Args:
        path: JSON {sequence: {"frames": n, "absent": [[first, last], ...]}} (0-based, inclusive),
            or a LaSOT root, whose full_occlusion.txt and out_of_view.txt are read.
    """
    source = Path(path)
    if source.is_dir():
        folders = sorted(file.parent for file in source.rglob("full_occlusion.txt"))
        if not folders:
            raise DatasetError(f"no full_occlusion.txt below {source}; expected a LaSOT root")
        names = ("full_occlusion.txt", "out_of_view.txt")
        return {
            one.name: read_visible([one / name for name in names], DatasetError) for one in folders
        }
    advice = (
        'expected JSON {sequence: {"frames": n, "absent": [[first, last], ...]}} or a LaSOT root'
    )
    with reading(source, DatasetError, advice):
        table = read_json(source, DatasetError, advice)
        flags = {name: np.ones(entry["frames"], bool) for name, entry in table.items()}
        for name, entry in table.items():
            for first, last in entry["absent"]:
                if not 0 <= first <= last < len(flags[name]):
                    raise ValueError(
                        f"{name!r} is absent from {first} to {last}, of frames 0 to "
                        f"{len(flags[name]) - 1}"
                    )
                flags[name][first : last + 1] = False
    return flags


def gather(dataset: Iterable[Any]) -> tuple[str, BoxSet, dict[str, NDArray[np.bool_]] | None]:
    """Take ground truth from sequence objects (name, ground_truth_rect, target_visible, dataset).

    Returns:
        Name of the data set, boxes, and visibility flags or None where no sequence has any.

    Raises:
        DatasetError: no sequences, several data sets in one list, or hidden ground truth.
    """
    sequences = list(dataset)
    if not sequences:
        raise DatasetError("the data set has no sequences")
    tags = sorted({str(one.dataset) for one in sequences})
    if len(tags) > 1:
        raise DatasetError(
            f"sequences of several data sets in one table: {', '.join(tags)}; their frames are "
            "scored by different habits, so score one data set at a time"
        )
    refuse_hidden(tags[0])
    for one in sequences:
        if isinstance(one.ground_truth_rect, Mapping):
            raise DatasetError(
                f"sequence {one.name!r} has {len(one.ground_truth_rect)} targets; one target a "
                "sequence can be scored: make a sequence of each"
            )
        # Listing frames may touch the disk, so only where one row makes it suspicious.
        if len(one.ground_truth_rect) == 1 and len(getattr(one, "frames", ())) > 1:
            raise DatasetError(
                f"sequence {one.name!r} has {len(one.frames)} frames and one annotated, on which "
                "any tracker would score 95.24; hidden ground truth is scored by the server of the "
                "set, and data of your own needs a row a frame, or scoring without that sequence"
            )
    boxes = BoxSet.of({str(one.name): np.asarray(one.ground_truth_rect) for one in sequences})
    flags = {str(one.name): getattr(one, "target_visible", None) for one in sequences}
    given = {name: np.asarray(one).astype(bool) for name, one in flags.items() if one is not None}
    if given and len(given) < len(flags):
        raise DatasetError(
            f"{len(flags) - len(given)} of {len(flags)} sequences have no visibility flags, "
            f"e.g. {next(name for name in flags if name not in given)!r}; add the files that say "
            "it, or take them away from the others too"
        )
    return tags[0], boxes, given or None
