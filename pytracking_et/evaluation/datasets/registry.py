"""Data sets by name or path."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ...errors import DatasetError
from ...settings import dataset_root
from ..sequence import SequenceList
from .layouts import from_path, sequences
from .spec import Spec, package_json, registry


def dataset_names() -> list[str]:
    """Names of the built-in data sets."""
    return list(registry())


def load_dataset(name: str, root: str | os.PathLike[str] | None = None) -> SequenceList:
    """One data set as a list of lazy sequences; no frame or annotation is opened yet.

    Args:
        name: a built-in name (`dataset_names()`), or the path of a folder with frames and one box
            file, or with a sequences.json.
        root: folder of the data set; otherwise taken from the settings (see `settings`).

    Raises:
        DatasetError: unknown name (lists what there is); its folder is not known, absent or
            unreadable.
    """
    spec = registry().get(name)
    try:
        if spec is not None:
            return sequences(dataset_root(spec.settings, name, root), spec)
        folder = Path(name).expanduser()
        if folder.is_dir():
            return from_path(folder)
    except OSError as error:
        # A folder without permission, a network drive that has gone.
        raise DatasetError(f"the folder of data set {name!r} cannot be read: {error}") from error
    raise unknown(name)


def get_dataset(*names: str, root: str | os.PathLike[str] | None = None) -> SequenceList:
    """Several data sets joined into one list, in the order given; arguments of load_dataset."""
    joined = SequenceList()
    for name in names:
        joined.extend(load_dataset(name, root=root))
    return joined


def find_spec(name: str) -> Spec:
    """The registry's entry.

    Raises:
        DatasetError: unknown name.
    """
    if name not in registry():
        raise unknown(name)
    return registry()[name]


def unknown(name: str) -> DatasetError:
    """The error for a name that is neither a data set nor a folder; lists what there is."""
    # They need masks, several targets at once, or files of their authors.
    if name in package_json("not_here.json"):
        return DatasetError(
            f"data set {name!r} of pytracking is not supported here; evaluate it with pytracking "
            f"itself (`ettrack install-into`). Data sets: {', '.join(dataset_names())}"
        )
    close = difflib.get_close_matches(name.lower(), dataset_names(), 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return DatasetError(
        f"{name!r} is neither a data set nor an existing folder.{hint} Data sets: "
        f"{', '.join(dataset_names())}"
    )
