"""Sequence names: Jogging_1, Jogging-1 and Jogging.1 are one sequence, uav_bike1 and bike1 too.

uav_bike1 and uav10fps_bike1 are not: a prefix names the data set, and never answers for another.
And the one file that goes by them alone: which sequence has which attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from typing import Any

from ..errors import DatasetError
from ..files import read_json, reading

# Prefixes pytracking (and we) put before the names of some data sets, and whose they are.
_PREFIXES = {"uav10fps_": "uav123_10fps", "uav_": "uav", "nfs_": "nfs", "tpl_": "tpl"}
# The built-in data sets, without case and _-@; other names of theirs, and subsets of one, have the
# same sequences.
_DATASETS = {
    "got10ktest": "got10ktest", "got10kval": "got10kval", "lasot": "lasot",
    "lasotextensionsubset": "lasotextensionsubset", "lasottrain": "lasottrain", "nfs": "nfs",
    "otb": "otb", "otb100": "otb", "tpl": "tpl", "tplnootb": "tpl", "trackingnet": "trackingnet",
    "uav": "uav", "uav123": "uav", "uav10fps": "uav12310fps", "uav12310fps": "uav12310fps",
    "vot": "vot", "vot2018": "vot",
}  # fmt: skip
# OTB has one Human4 with two annotated targets, of which only the second is used.
_ALIASES = {"human4": "human4_2"}


def split(name: str) -> tuple[str, str]:
    """Prefix of the data set ("" where there is none) and spelling-free name of a sequence."""
    plain = re.sub(r"[-.@ ]", "_", name.strip().casefold())
    for prefix in _PREFIXES:
        # uav_bike1 is a prefixed name; uav1_1 is a sequence of UAV123 and must stay whole.
        if plain.startswith(prefix) and len(plain) > len(prefix):
            plain = plain.removeprefix(prefix)
            return prefix, _ALIASES.get(plain, plain)
    return "", _ALIASES.get(plain, plain)


def dataset_of(name: str) -> str:
    """The built-in data set whose prefix a sequence name has; "" where it has none."""
    return _PREFIXES.get(split(name)[0], "")


def plain_dataset(name: str) -> str:
    """A data set's name without case and _-@: UAV123@10fps is uav123_10fps."""
    return "".join(c for c in name.lower() if c.isalnum())


def other_dataset(one: str, other: str) -> bool:
    """Whether the names are those of two built-in data sets; one that is not known may be any."""
    first, second = (_DATASETS.get(plain_dataset(name), "") for name in (one, other))
    return bool(first and second) and first != second


class Matcher:
    """Find a sequence among names that may be spelled in another way; exact spelling wins.

    Args:
        names: to find one of.
        mixed: of several data sets, as in a folder of results. Where any of them has a data set's
            prefix, one without it is no answer for that set: beside uav_bike1, Car2 is OTB's, and
            not uav_car2.
    """

    def __init__(self, names: Iterable[str], mixed: bool = False):
        self._exact = set(names)
        self._loose: dict[str, list[tuple[str, str]]] = {}
        self._prefixes: set[str] = set()
        for name in self._exact:
            prefix, plain = split(name)
            if mixed:
                self._prefixes.add(prefix)
            self._loose.setdefault(plain, []).append((prefix, name))

    def find(self, name: str) -> str | None:
        """Return the matching name, or None."""
        if name in self._exact:
            return name
        prefix, plain = split(name)
        usual = (prefix,) if prefix in self._prefixes else ("", prefix)
        close = [
            match for theirs, match in self._loose.get(plain, []) if not prefix or theirs in usual
        ]
        # Two names that would do: only the exact spelling can tell them apart.
        return close[0] if len(close) == 1 else None

    def pair(self, names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """Each of `names` with its match, and those that have none."""
        found = {name: self.find(name) for name in names}
        paired = {name: match for name, match in found.items() if match is not None}
        return paired, [name for name in found if name not in paired]


def attribute_codes(path: str | PathLike[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Attribute codes in order, and those of each sequence.

    Args:
        path: JSON {"order": [codes], "sequences": {name: [codes]}}, or only the latter mapping;
            without an order, that of the alphabet.

    Raises:
        DatasetError: not such a file.
    """
    advice = 'expected {"order": [codes], "sequences": {name: [codes]}}'
    with reading(path, DatasetError, advice):
        content = read_json(path, DatasetError, advice)
        if "sequences" not in content:
            content = {"sequences": content}
        table = {name: _codes(codes) for name, codes in content["sequences"].items()}
        used = {code for codes in table.values() for code in codes}
        return _codes(content.get("order", sorted(used))), table


def _codes(value: Any) -> list[str]:
    # Text is a sequence too, of its letters.
    if not isinstance(value, list) or not all(isinstance(code, str | int) for code in value):
        raise TypeError(f"attribute codes {value!r} are no list such as ['OCC', 'SV']")
    return [str(code) for code in value]
