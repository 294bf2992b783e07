"""How each benchmark lies on disk: from a root folder and a table to lazy sequences.

The benchmarks are data/datasets.json, as objects. A layout is a function (root, spec) ->
SequenceList that opens at most a list of names; LAYOUTS maps the names used there to them.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ...errors import DatasetError
from ...files import is_image, natural_key, reading
from ..sequence import SHOWN, Sequence, SequenceList
from .ondisk import (
    BoxFile,
    CoverLabels,
    ListedFrames,
    NumberedFrames,
    OfficialBoxes,
    OfficialFrames,
    VisibleFlags,
    read_text,
)

TABLE_FILE = "sequences.json"
# Longest number in the name of a frame; what fills a name would fill the memory too.
MOST_DIGITS = 20
REQUIRED = ("name", "path", "anno_path", "startFrame", "endFrame", "nz", "ext")
IMAGE_FOLDERS = ("", "img", "imgs", "images", "frames", "color")
BOX_FILES = ("groundtruth_rect.txt", "groundtruth.txt", "gt.txt", "boxes.txt", "init.txt")
BOX_EXTENSIONS = (".txt", ".csv", ".tsv")
# Files that lie beside the boxes in known data sets and hold none.
NO_BOXES = ("full_occlusion.txt", "out_of_view.txt", "list.txt", "attrs.txt", "readme.txt")


@dataclass(frozen=True)
class Spec:
    """One benchmark.

    Args:
        name: as in `--dataset NAME`; sequences carry it as `dataset`.
        title: for people.
        settings: names in the settings file that may give the root folder, in order.
        layout: name of the function in layouts.LAYOUTS.
        table: file of package data with rows or names, '' where the folder itself says it.
        split: sub-folder of the root.
        exclude: file of package data with names to leave out.
        sequences: how many there are.
        frames: how many there are, where the table or the benchmark's paper fixes it.
    """

    name: str
    title: str
    settings: tuple[str, ...]
    layout: str
    sequences: int
    table: str = ""
    split: str = ""
    exclude: str = ""
    frames: int | None = None

    def rows(self) -> list[Any]:
        """Rows (mappings, or names only) of the built-in table."""
        return package_json(self.table)


@cache
def package_json(name: str) -> Any:
    """Content of a file in pytracking_et/evaluation/data (do not change it)."""
    file = resources.files("pytracking_et.evaluation") / "data" / name
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def registry() -> dict[str, Spec]:
    """All benchmarks by name."""
    return {
        name: Spec(name=name, **{**row, "settings": tuple(row["settings"])})
        for name, row in package_json("datasets.json").items()
    }


def sequences(root: Path, spec: Spec) -> SequenceList:
    """All sequences of a data set; a `sequences.json` in its root replaces the built-in table."""
    own = own_table(root, spec.name)
    found = LAYOUTS[spec.layout](root, spec) if own is None else own
    excluded = frozenset(package_json(spec.exclude) if spec.exclude else ())
    return SequenceList(sequence for sequence in found if sequence.name not in excluded)


def own_table(root: Path, dataset: str) -> SequenceList | None:
    """Sequences of the user's `sequences.json` in a folder, None where there is none.

    Raises:
        DatasetError: it is not a JSON list of objects with the fields of `from_rows`.
    """
    path = root / TABLE_FILE
    if not path.is_file():
        return None
    with reading(path, DatasetError, "correct it, or remove it to take the folder as it is"):
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{path} must hold a list of objects, one for each sequence")
    return from_rows(root, dataset, rows, path)


def table(root: Path, spec: Spec) -> SequenceList:
    """OTB, UAV123, TPL: a table of names, folders and frame ranges."""
    return from_rows(root, spec.name, spec.rows(), spec.table)


def from_rows(
    root: Path, dataset: str, rows: Iterable[Mapping[str, Any]], source: object
) -> SequenceList:
    """Sequences of table rows with pytracking's field names.

    Args:
        root: folder that `path` and `anno_path` of the rows are relative to.
        dataset: name given to the sequences.
        rows: name, path, anno_path, startFrame, endFrame, nz (digits), ext; optional initOmit
            (frames and rows skipped at the start) and object_class.
        source: where the rows come from, for error messages.
    """
    return SequenceList(_from_row(root, dataset, row, source) for row in rows)


def _from_row(root: Path, dataset: str, row: Mapping[str, Any], source: object) -> Sequence:
    lacking = [key for key in REQUIRED if key not in row]
    if lacking:
        raise DatasetError(f"{source}: {dict(row)} lacks {', '.join(lacking)}")
    with reading(
        str(source), DatasetError, f"startFrame, endFrame, nz of {row['name']!r} are counts"
    ):
        omit = int(row.get("initOmit", 0))
        first, last, digits = int(row["startFrame"]) + omit, int(row["endFrame"]), int(row["nz"])
    if not 0 <= digits <= MOST_DIGITS:
        raise DatasetError(f"{source}: {row['name']!r} has nz {digits}; digits of a frame's name")
    if not 0 <= first <= last < 2**31:
        raise DatasetError(f"{source}: {row['name']} has no frames ({first} to {last})")
    if any("\0" in str(row[key]) for key in ("path", "anno_path", "ext")):
        raise DatasetError(f"{source}: {row['name']!r} has a zero byte in its path")
    # A table written on Windows may hold backslashes; forward slashes work on every system.
    folder, file = (root / str(row[key]).replace("\\", "/") for key in ("path", "anno_path"))
    frames = NumberedFrames(str(folder), first, last, digits, str(row["ext"]))
    boxes = BoxFile(str(file), omit)
    kind = row.get("object_class")
    return Sequence(str(row["name"]), frames, dataset, boxes, object_class=kind)


def nfs_either(root: Path, spec: Spec) -> SequenceList:
    """Need for Speed: the repack (sequences/, anno/) or the official folders (SEQ/30/SEQ)."""
    names = sorted(item.name for item in root.iterdir() if (item / "30").is_dir())
    folders = {_comparable(name): name for name in names}
    if not folders or (root / "sequences").is_dir():
        return table(root, spec)
    found = []
    for row in spec.rows():
        plain = row["name"].removeprefix("nfs_")
        name = folders.get(_comparable(plain), plain)
        images = str(root / name / "30" / name)
        boxes = OfficialBoxes(str(root / name / "30" / f"{name}.txt"), images)
        frames = OfficialFrames(boxes)
        kind = row.get("object_class")
        found.append(Sequence(row["name"], frames, spec.name, boxes, object_class=kind))
    return SequenceList(found)


def _comparable(name: str) -> str:
    # The repack writes "-" and blanks of the official names as "_".
    return name.lower().replace("-", "_").replace(" ", "_")


def lasot(root: Path, spec: Spec) -> SequenceList:
    """LaSOT: class/class-N/img, or class-N/img where the class folders were left out."""
    found = []
    for name in spec.rows():
        kind = name.rpartition("-")[0]
        folder = root / kind / name
        if not folder.is_dir() and (root / name).is_dir():
            folder = root / name
        flags = tuple(str(folder / file) for file in ("full_occlusion.txt", "out_of_view.txt"))
        told = {"object_class": kind, "target_visible": VisibleFlags(flags)}
        found.append(_listed(name, spec.name, folder / "groundtruth.txt", folder / "img", **told))
    return SequenceList(found)


def _listed(name: str, dataset: str, boxes: Path, *folders: Path, **told: Any) -> Sequence:
    """Sequence of all images of a folder, the first of these that has any."""
    frames = ListedFrames(tuple(map(str, folders)))
    return Sequence(name, frames, dataset, BoxFile(str(boxes)), **told)


def got10k(root: Path, spec: Spec) -> SequenceList:
    """GOT-10k: test/ or val/ with list.txt; the folder itself may also be given as root."""
    folder = root / spec.split if (root / spec.split).is_dir() else root
    names = read_text(folder / "list.txt").split()
    found = []
    for name in names:
        place = folder / name
        public = None if spec.split == "test" else CoverLabels(str(place / "cover.label"))
        boxes = place / "groundtruth.txt"
        found.append(_listed(name, spec.name, boxes, place, target_visible=public))
    return SequenceList(found)


def trackingnet(root: Path, spec: Spec) -> SequenceList:
    """TrackingNet: TEST/frames/VIDEO/0.jpg and TEST/anno/VIDEO.txt (or TEST itself as root)."""
    folder = root / spec.split if (root / spec.split).is_dir() else root
    annotations = folder / "anno"
    if not annotations.is_dir():
        raise DatasetError(f"{spec.name}: '{annotations}' is not a folder of annotations")
    # Archives made on macOS hold a hidden file beside each.
    names = sorted(item.stem for item in annotations.glob("*.txt") if item.name[0] != ".")
    if not names:
        raise DatasetError(f"{spec.name}: no *.txt in '{annotations}'")
    return SequenceList(
        _listed(name, spec.name, annotations / f"{name}.txt", folder / "frames" / name)
        for name in names
    )


def vot(root: Path, spec: Spec) -> SequenceList:
    """VOT2018: SEQ/color/00000001.jpg (or SEQ/00000001.jpg), polygons in SEQ/groundtruth.txt."""
    folders = ((name, root / name) for name in spec.rows())
    return SequenceList(
        _listed(name, spec.name, folder / "groundtruth.txt", folder / "color", folder)
        for name, folder in folders
    )


LAYOUTS: dict[str, Callable[[Path, Spec], SequenceList]] = {
    "table": table,
    "nfs": nfs_either,
    "lasot": lasot,
    "got10k": got10k,
    "trackingnet": trackingnet,
    "vot": vot,
}


def named(folder: Path) -> str:
    """Name of a folder, of "." too; a link has its own."""
    return Path(os.path.abspath(folder)).name  # noqa: PTH100


def from_path(root: Path) -> SequenceList:
    """Sequences of any folder: its sequences.json, or frames and one box file (or one deeper).

    Raises:
        DatasetError: no frames with a box file at either level, or several box files.
    """
    name = named(root)
    own = own_table(root, name)
    if own is not None:
        return own
    images = _image_folder(root)
    if images is not None and (images == root or _box_files(root)):
        return SequenceList([_one(root, images, name)])
    inside = (item for item in root.iterdir() if item.is_dir() and item.name[0] != ".")
    folders = sorted(inside, key=lambda item: natural_key(item.name))
    found = [(folder, _image_folder(folder), _box_files(folder)) for folder in folders]
    sequences = [_one(folder, images, name) for folder, images, files in found if images and files]
    if not sequences:
        raise DatasetError(
            f"'{root}' holds no sequence: expected images (here or in one of "
            f"{', '.join(IMAGE_FOLDERS[1:])}) and one file of boxes x,y,w,h such as "
            f"{BOX_FILES[0]}, or sub-folders that hold them"
        )
    _warn_of_halves(root, found)
    return SequenceList(sequences)


def _warn_of_halves(root: Path, found: Iterable[tuple[Path, Path | None, list[Path]]]) -> None:
    """A copy may have lost a file of a sequence, which would be missing from all figures."""
    halves = [
        f"{folder.name} ({'images, no boxes' if images else f'{files[0].name}, no images'})"
        for folder, images, files in found
        if (images and not files) or (not images and files and files[0].name in BOX_FILES)
    ]
    if halves:
        more = ", ..." if len(halves) > SHOWN else ""
        warnings.warn(
            f"{root}: left out, as no sequences: {', '.join(halves[:SHOWN])}{more}", stacklevel=4
        )


def _one(folder: Path, images: Path, dataset: str) -> Sequence:
    files = _box_files(folder)
    if not files:
        raise DatasetError(
            f"'{folder}' has images but no file of boxes; add {BOX_FILES[0]} with one row "
            "x,y,w,h for each frame (or for the first frame alone)"
        )
    if len(files) > 1:
        raise DatasetError(
            f"'{folder}' has several files that may hold the boxes: "
            f"{', '.join(file.name for file in files)}; keep one, or name it {BOX_FILES[0]}. Of "
            "OTB-100, which has such folders and frames without boxes: --dataset otb "
            "--dataset-root FOLDER"
        )
    return _listed(named(folder), dataset, files[0], images)


def _image_folder(folder: Path) -> Path | None:
    for name in IMAGE_FOLDERS:
        place = folder / name
        if place.is_dir() and any(is_image(item.name) for item in place.iterdir()):
            return place
    return None


def _box_files(folder: Path) -> list[Path]:
    for name in BOX_FILES:
        if (folder / name).is_file():
            return [folder / name]
    files = sorted(item for item in folder.iterdir() if item.suffix.lower() in BOX_EXTENSIONS)
    return [file for file in files if file.name.lower() not in NO_BOXES and file.name[0] != "."]
