"""Sequence names: Jogging_1, Jogging-1 and Jogging.1 are one sequence, uav_bike1 and bike1 too."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Prefixes pytracking puts before the names of some data sets.
_PREFIXES = ("uav10fps_", "uav_", "nfs_", "tpl_")
# OTB has one Human4 with two annotated targets, of which only the second is used.
_ALIASES = {"human4": "human4_2"}


def canonical(name: str) -> str:
    """Spelling-free form of a sequence name."""
    plain = re.sub(r"[-.@ ]", "_", name.strip().casefold())
    for prefix in _PREFIXES:
        # uav_bike1 is a prefixed name; uav1_1 is a sequence of UAV123 and must stay whole.
        if plain.startswith(prefix) and len(plain) > len(prefix):
            plain = plain.removeprefix(prefix)
            break
    return _ALIASES.get(plain, plain)


class Matcher:
    """Find a sequence among names that may be spelled in another way; exact spelling wins."""

    def __init__(self, names: Iterable[str]):
        self._exact = set(names)
        self._loose: dict[str, str | None] = {}
        for name in self._exact:
            key = canonical(name)
            # Two names with one canonical form: only the exact spelling can tell them apart.
            self._loose[key] = None if key in self._loose else name

    def find(self, name: str) -> str | None:
        """Return the matching name, or None."""
        if name in self._exact:
            return name
        return self._loose.get(canonical(name))
