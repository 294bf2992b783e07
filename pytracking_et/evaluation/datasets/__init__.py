"""The benchmarks by name, and any folder of frames with a box file by its path.

Attributes of sequences (occlusion, scale variation, ...) are read from the data set's folder: the
lists belong to the benchmarks and are not part of this package. Read are, the first found:

* `attributes.json` in the root (`results.names.attribute_codes`);
* UAV123 as published: anno/UAV123/att/NAME.txt, one line of 0 and 1 in the order of UAV123_ORDER;
* OTB as published: SEQ/attrs.txt, codes separated by commas.

A name may be written with or without the data set's prefix (`uav_bike1`, `bike1`).
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ...boxtables import read_flags
from ...errors import DatasetError
from ...results.names import Matcher, attribute_codes
from ...settings import dataset_root, expanded
from ..sequence import SequenceList
from .layouts import Spec, from_path, package_json, registry, sequences
from .ondisk import read_text

ATTRIBUTES = "attributes.json"

__all__ = ["dataset_names", "get_dataset", "get_dataset_attributes", "load_dataset"]


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
        folder = expanded(name)
        if folder.is_dir():
            if root is not None:
                raise DatasetError(
                    f"{name!r} is a folder itself; --dataset-root {os.fspath(root)} is for data "
                    "sets given by name"
                )
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


# Mueller et al., "A Benchmark and Simulator for UAV Tracking", ECCV 2016: columns of att/*.txt.
UAV123_ORDER = ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV", "BC", "IV", "VC", "CM", "SOB")


def get_dataset_attributes(
    name: str, mode: str = "short", root: str | os.PathLike[str] | None = None
) -> dict[str, SequenceList]:
    """The sequences of each attribute of a data set, as `print_results_per_attribute` takes them.

    Args:
        name: a built-in data set.
        mode: "short" for codes such as "OCC" as keys, "long" for "Occlusion".
        root: folder of the data set; otherwise taken from the settings.

    Raises:
        DatasetError: the folder holds no attributes (says which files were looked for).
    """
    if mode not in ("short", "long"):
        raise DatasetError(f"mode {mode!r} is not known; use 'short' or 'long'")
    if name not in registry() and Path(name).is_dir():
        raise DatasetError(
            f"{name!r} is a folder of your own; name a JSON file of its attributes: --attributes "
            "FILE (`analysis.read_attributes`)"
        )
    spec = find_spec(name)
    folder = dataset_root(spec.settings, name, root)
    found = sequences(folder, spec)
    order, table = read_attributes(folder, name, found)
    names = package_json("attributes.json") if mode == "long" else {}
    result = {}
    for code in order:
        chosen = SequenceList(item for item in found if code in table[item.name])
        result[names.get(code, code)] = chosen
    return result


def read_attributes(
    folder: Path, name: str, found: SequenceList
) -> tuple[list[str], dict[str, list[str]]]:
    """Codes in order, and those of each sequence in `found`."""
    if (folder / ATTRIBUTES).is_file():
        order, table = attribute_codes(folder / ATTRIBUTES)
    else:
        order, table = _as_published(found)
    matches, lacking = Matcher(table).pair(found.names)
    if lacking:
        raise DatasetError(
            f"{name}: no attributes for {len(lacking)} of {len(found)} sequences, e.g. "
            f"{', '.join(lacking[:5])}; looked for {folder / ATTRIBUTES}, anno/*/att/NAME.txt and "
            "NAME/attrs.txt below it"
        )
    return order, {name: table[match] for name, match in matches.items()}


def _as_published(found: SequenceList) -> tuple[list[str], dict[str, list[str]]]:
    table: dict[str, list[str]] = {}
    for item in found:
        boxes = Path(item.sources[0])
        flags = boxes.parent / "att" / boxes.name
        codes = boxes.parent / "attrs.txt"
        if flags.is_file():
            table[item.name] = _codes_of_flags(flags)
        elif codes.is_file():
            table[item.name] = read_text(codes).replace(",", " ").split()
    used = {code for codes in table.values() for code in codes}
    known = [code for code in UAV123_ORDER if code in used]
    return known + sorted(used - set(known)), table


def _codes_of_flags(path: Path) -> list[str]:
    flags = read_flags(path, DatasetError)
    if len(flags) != len(UAV123_ORDER):
        raise DatasetError(f"{path} has {len(flags)} flags; expected {len(UAV123_ORDER)}")
    return [code for code, flag in zip(UAV123_ORDER, flags, strict=True) if flag]
