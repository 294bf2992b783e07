"""Data sets by name or path."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ...errors import DatasetError
from ..environment import dataset_root
from ..sequence import SequenceList
from .layouts import from_path, sequences
from .spec import Spec, registry

# pytracking's other names: they need masks, several targets at once, or files of their authors.
NOT_HERE = (
    "avist dv2016_val dv2017_test_chal dv2017_test_dev dv2017_val got10k_ltrval got10kvos_val "
    "lagot lagot_sot_mode lasotvos oxuva_dev oxuva_test trackingnetvos yt2018_jjval "
    "yt2018_valid_all yt2019_jjval yt2019_jjval_all yt2019_test yt2019_valid yt2019_valid_all"
).split()  # noqa: SIM905


def dataset_names() -> list[str]:
    """Names of the built-in data sets."""
    return list(registry())


def load_dataset(name: str, root: str | os.PathLike[str] | None = None) -> SequenceList:
    """One data set as a list of lazy sequences; no frame or annotation is opened yet.

    Args:
        name: a built-in name (`dataset_names()`), or the path of a folder with frames and one box
            file, or with a sequences.json.
        root: folder of the data set; otherwise taken from the settings (see `environment`).

    Raises:
        DatasetError: unknown name (lists what there is), or its folder is not known or absent.
    """
    spec = registry().get(name)
    if spec is not None:
        return sequences(dataset_root(spec.settings, name, root), spec)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return from_path(folder)
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
    if name in NOT_HERE:
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
