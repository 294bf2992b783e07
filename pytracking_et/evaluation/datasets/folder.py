"""Any folder of frames with one box file, or a folder of such folders, as a data set."""

from __future__ import annotations

from pathlib import Path

from ...errors import DatasetError
from ...files import is_image
from ..sequence import Sequence, SequenceList
from .ondisk import BoxFile, ListedFrames, natural_key

IMAGE_FOLDERS = ("", "img", "imgs", "images", "frames", "color")
BOX_FILES = ("groundtruth_rect.txt", "groundtruth.txt", "gt.txt", "boxes.txt", "init.txt")
BOX_EXTENSIONS = (".txt", ".csv", ".tsv")
# Files that lie beside the boxes in known data sets and hold none.
NO_BOXES = ("full_occlusion.txt", "out_of_view.txt", "list.txt", "attrs.txt", "readme.txt")


def folder_sequences(root: Path) -> SequenceList:
    """The sequence in `root`, or the sequences in its sub-folders.

    Raises:
        DatasetError: no frames with a box file at either level, or several box files.
    """
    name = root.resolve().name
    images = _image_folder(root)
    if images is not None and (images == root or _box_files(root)):
        return SequenceList([_one(root, images, name)])
    inside = (item for item in root.iterdir() if item.is_dir() and item.name[0] != ".")
    folders = sorted(inside, key=_order)
    found = [(folder, _image_folder(folder)) for folder in folders]
    sequences = [
        _one(folder, images, name)
        for folder, images in found
        if images is not None and _box_files(folder)
    ]
    if not sequences:
        raise DatasetError(
            f"'{root}' holds no sequence: expected images (here or in one of "
            f"{', '.join(IMAGE_FOLDERS[1:])}) and one file of boxes x,y,w,h such as "
            f"{BOX_FILES[0]}, or sub-folders that hold them"
        )
    return SequenceList(sequences)


def _order(path: Path) -> list[object]:
    return natural_key(path.name)


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
            f"{', '.join(file.name for file in files)}; keep one, or name it {BOX_FILES[0]}"
        )
    name = folder.resolve().name
    return Sequence(name, ListedFrames((str(images),)), dataset, BoxFile(str(files[0])))


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
    return [file for file in files if file.name.lower() not in NO_BOXES]
