"""One sequence (frames, boxes, what a tracker is told) and a list of them, as in pytracking.

Both frames and ground truth may be lazy, so that a data set of a thousand sequences is listed
without opening a file, and a sequence is a few hundred bytes when sent to another process.
"""

from __future__ import annotations

import collections.abc
import difflib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..boxes import as_rows
from ..errors import DatasetError
from ..names import check_name

Boxes = NDArray[np.float64]
Listing = Callable[[str], frozenset[str]]

# A wrong root makes every file of a data set miss; more lines than this help nobody.
SHOWN = 20


class UnknownSequenceError(DatasetError, IndexError):
    """A sequence name or number that the list does not hold (IndexError, as in pytracking)."""


class Sequence:
    """A sequence of frames with the ground truth of one target, or of several.

    Args:
        name: unique within the data set; result files are named after it (DatasetError where they
            cannot be: `names.check_name`).
        frames: paths of the images, first to last.
        dataset: name of the data set; the analysis picks its rules by it.
        ground_truth_rect: N x 4 (x, y, w, h in pixels, stored as in the annotation, so 1-based
            where the data set is), or a mapping object id -> N x 4, or a function without
            arguments that returns either, called on first use. One row where the benchmark hides
            the rest.
        ground_truth_seg: N masks or paths of masks, optional.
        init_data: frame number -> {"bbox": .., "mask": .., "object_ids": ..}, where it differs
            from frame 0 of the ground truth. The first frame in it becomes frame 0.
        object_class: e.g. "person".
        target_visible: N booleans, or a function that returns them; None where the data set does
            not say.
        object_ids: ids of the targets, where there are several or they have names.
        multiobj_mode: the tracker is given all targets at once.
    """

    def __init__(
        self,
        name: str,
        frames: collections.abc.Sequence[str],
        dataset: str,
        ground_truth_rect: Any,
        ground_truth_seg: collections.abc.Sequence[Any] | None = None,
        init_data: Mapping[int, Mapping[str, Any]] | None = None,
        object_class: str | None = None,
        target_visible: Any = None,
        object_ids: list[Any] | None = None,
        multiobj_mode: bool = False,
    ) -> None:
        start = min(init_data) if init_data else 0
        self.name = check_name(name, "sequence name", DatasetError)
        self.frames = frames[start:] if start else frames
        self.dataset = dataset
        self.object_class = object_class
        self.object_ids = object_ids
        self.multiobj_mode = multiobj_mode
        self.ground_truth_seg = None if ground_truth_seg is None else ground_truth_seg[start:]
        self._start = start
        self._ground_truth = ground_truth_rect
        self._visible = target_visible
        self._init_data = (
            {number - start: dict(data) for number, data in init_data.items()}
            if init_data
            else None
        )
        self._loaded: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Sequence({self.name!r}, dataset={self.dataset!r})"

    def __getstate__(self) -> dict[str, Any]:
        # What a loader gave is loaded again on the other side; paths are cheaper to send.
        return {**self.__dict__, "_loaded": {}}

    def _load(self, key: str, source: Any, convert: Callable[[Any], Any]) -> Any:
        if key not in self._loaded:
            value = source() if callable(source) else source
            if isinstance(value, Mapping):
                value = OrderedDict(
                    (id_, convert(rows)[self._start :]) for id_, rows in value.items()
                )
            elif value is not None:
                value = convert(value)[self._start :]
            self._loaded[key] = value
        return self._loaded[key]

    @property
    def ground_truth_rect(self) -> Any:
        """N x 4 float64 (or a mapping id -> N x 4), read on first use.

        Raises:
            DatasetError: the annotation is missing or malformed; names the file.
        """
        return self._load("boxes", self._ground_truth, _as_boxes)

    @property
    def target_visible(self) -> NDArray[np.bool_] | None:
        """N booleans as the data set states them (LaSOT, GOT-10k val); None where it does not."""
        return self._load("visible", self._visible, lambda flags: np.asarray(flags, dtype=bool))

    @property
    def present(self) -> NDArray[np.bool_]:
        """N booleans: the target is annotated in the frame and not said to be invisible.

        Absent is a row with NaN or with a width or height that is not positive, in any data set.
        For one target; several have no single answer.
        """
        boxes = self.ground_truth_rect
        if isinstance(boxes, Mapping):
            raise DatasetError(f"{self.name}: `present` needs one target, there are {len(boxes)}")
        found = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        visible = self.target_visible
        return found if visible is None else found & visible

    @property
    def hidden_ground_truth(self) -> bool:
        """Whether only the first box is public (test sets scored by a server)."""
        return self._rows() == 1 and len(self.frames) > 1

    @property
    def init_data(self) -> dict[int, dict[str, Any]]:
        """Frame number -> what the tracker is told there; by default the boxes of frame 0."""
        if self._init_data is not None:
            return self._init_data
        data: dict[str, Any] = {"bbox": self.get_bbox(0)}
        if self.ground_truth_seg is not None:
            data["mask"] = self.ground_truth_seg[0]
        if self.object_ids is not None:
            data["object_ids"] = self.object_ids
        return {0: data}

    def init_info(self) -> dict[str, Any]:
        """What `tracker.initialize(image, info)` gets: `init_bbox` (x, y, w, h) and the like."""
        return self.frame_info(0)

    def frame_info(self, frame_num: int) -> dict[str, Any]:
        """What `tracker.track(image, info)` gets at a frame: empty unless a target starts there."""
        return self.object_init_data(frame_num)

    def init_bbox(self, frame_num: int = 0) -> Any:
        """Box (list of 4) a target starts from at this frame, id -> box for several, or None."""
        box = self.init_data.get(frame_num, {}).get("bbox")
        if isinstance(box, Mapping) and not self.multiobj_mode and len(box) == 1:
            box = next(iter(box.values()))
        if isinstance(box, Mapping):
            return OrderedDict((id_, list(values)) for id_, values in box.items())
        return None if box is None else list(box)

    def init_mask(self, frame_num: int = 0) -> NDArray[np.uint8] | None:
        """Mask H x W uint8 (0 = background) that a target starts from at this frame, or None."""
        mask = self.init_data.get(frame_num, {}).get("mask")
        return _read_mask(mask) if isinstance(mask, str | os.PathLike) else mask

    def get_bbox(self, frame_num: int, object_ids: Iterable[Any] | None = None) -> Any:
        """Ground truth at a frame: list of 4, or id -> list for several targets."""
        boxes = self.ground_truth_rect
        if isinstance(boxes, Mapping):
            ids = boxes if object_ids is None else object_ids
            return OrderedDict((id_, list(boxes[id_][frame_num])) for id_ in ids)
        return list(boxes[frame_num])

    def object_init_data(self, frame_num: int | None = None) -> dict[str, Any]:
        """init_bbox, init_mask and object ids of the targets that start at a frame (default 0)."""
        number = 0 if frame_num is None else frame_num
        if number not in self.init_data:
            return {}
        data = {"init_bbox": self.init_bbox(number), "init_mask": self.init_mask(number)}
        ids = self.init_data[number].get("object_ids", self.object_ids)
        data |= {"object_ids": ids, "sequence_object_ids": self.object_ids}
        if self.multiobj_mode:
            data["init_object_ids"] = ids
        return {key: value for key, value in data.items() if value is not None}

    def target_class(self, frame_num: int | None = None) -> str | None:
        """Class of the target, e.g. "person", where the data set says it."""
        return self.object_class

    def get_info(self, keys: Iterable[str], frame_num: int | None = None) -> dict[str, Any]:
        """Several of the above by name, e.g. ["init_bbox", "target_class"]; None is left out."""
        number = 0 if frame_num is None else frame_num
        values = {key: getattr(self, key) for key in keys}
        values = {key: item(number) if callable(item) else item for key, item in values.items()}
        return {key: value for key, value in values.items() if value is not None}

    @property
    def sources(self) -> tuple[str, ...]:
        """Annotation files, the boxes first; empty where the ground truth was given as numbers."""
        loaders = (self._ground_truth, self._visible)
        return tuple(path for loader in loaders for path in getattr(loader, "paths", ()))

    def missing_files(self, listing: Listing | None = None) -> list[str]:
        """Paths of frames and annotation files that do not exist; folders are listed, not read."""
        look = listing or cached_listing()
        check = getattr(self.frames, "missing", None)
        missing = list(check(look)) if check else absent(self.frames, look)
        return missing + absent(self.sources, look) or self.skipped_frames()

    def skipped_frames(self) -> list[str]:
        """Frames that lack between others of a folder: later boxes would be of other frames."""
        skipped = getattr(self.frames, "skipped", None)
        return skipped(self._rows) if skipped else []

    def _rows(self) -> int:
        boxes = self.ground_truth_rect
        return len(next(iter(boxes.values())) if isinstance(boxes, Mapping) else boxes)


class SequenceList(list[Sequence]):
    """Sequences, found by number, name, slice, or a list of numbers and names."""

    @overload  # type: ignore[override]
    def __getitem__(self, item: int | str) -> Sequence: ...

    @overload
    def __getitem__(self, item: slice | list[Any] | tuple[Any, ...]) -> SequenceList: ...

    def __getitem__(self, item: Any) -> Sequence | SequenceList:
        if isinstance(item, str):
            return self._named([item])[0]
        if isinstance(item, slice):
            return SequenceList(super().__getitem__(item))
        if isinstance(item, list | tuple):
            self._named([name for name in item if isinstance(name, str)])  # all that are unknown
            return SequenceList(self[part] for part in item)
        try:
            return super().__getitem__(item)
        except IndexError as error:
            raise UnknownSequenceError(
                f"sequence number {item} does not exist; numbers run from 0 to {len(self) - 1}"
            ) from error

    def _named(self, names: list[str]) -> list[Sequence]:
        table = {sequence.name: sequence for sequence in self}
        unknown = [name for name in names if name not in table]
        if unknown:
            close = difflib.get_close_matches(unknown[0], table, 3)
            hint = f"did you mean {' or '.join(close)}? " if close else ""
            few = ", ".join(list(table)[:SHOWN]) + (", ..." if len(table) > SHOWN else "")
            raise UnknownSequenceError(
                f"no sequence {', '.join(map(repr, unknown))}; {hint}"
                f"There are {len(table)}: {few or '(none)'}"
            )
        return [table[name] for name in names]

    def __add__(self, other: Iterable[Sequence]) -> SequenceList:  # type: ignore[override]
        return SequenceList([*self, *other])

    def copy(self) -> SequenceList:
        """A new list of the same sequences."""
        return SequenceList(self)

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [sequence.name for sequence in self]

    def require(self) -> SequenceList:
        """Check that all files of these sequences, and of no other, exist; returns itself.

        Raises:
            DatasetError: one list of what is missing, with the paths looked for.
        """
        look = cached_listing()
        missing = [path for sequence in self for path in sequence.missing_files(look)]
        # Parts of one video share frames, so that a path may come up for each of them.
        missing = list(dict.fromkeys(missing))
        if missing:
            shown = "\n  ".join(missing[:SHOWN])
            more = f"\n  and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            raise DatasetError(
                f"{len(missing)} files or folders of {len(self)} sequences are missing:\n  "
                f"{shown}{more}\nCheck the folder given for the data set; `ettrack datasets check` "
                "lists every gap"
            )
        return self


def cached_listing() -> Listing:
    """A function folder -> names in it (empty where it does not exist), each folder read once."""

    @cache
    def listing(folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(folder or "."))
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        except OSError as error:
            raise DatasetError(f"folder '{folder}' cannot be read: {error}") from error

    return listing


def absent(paths: Iterable[str], listing: Listing) -> list[str]:
    """Those of the paths that their folder's listing does not hold."""
    parts = ((path, *os.path.split(path)) for path in paths)
    return [path for path, folder, name in parts if name not in listing(folder)]


def _as_boxes(values: Any) -> Boxes:
    boxes = as_rows(values, "ground truth", DatasetError)
    if not len(boxes):
        raise DatasetError(
            "ground truth has no rows; it must have one for the first frame at least"
        )
    return boxes


def _read_mask(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    from PIL import Image  # palette images keep their object ids only in Pillow

    try:
        with Image.open(Path(path)) as image:
            return np.asarray(image, dtype=np.uint8)
    except OSError as error:
        raise DatasetError(f"cannot read the mask '{os.fspath(path)}': {error}") from error
