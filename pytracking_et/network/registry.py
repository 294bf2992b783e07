"""Names to networks. Configurations are data (`configurations.json`), not code."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from ..errors import ParameterError
from .trackers import ETNetwork, LightTrackNetwork, TrackingNetwork

NETWORKS: dict[str, Callable[..., TrackingNetwork]] = {
    "et": ETNetwork,
    "lighttrack": LightTrackNetwork,
}


@dataclass(frozen=True)
class NetworkConfiguration:
    """One row of `configurations.json`: a class in `NETWORKS`, its arguments, a summary."""

    name: str
    network: str
    options: Mapping[str, Any]
    summary: str


@lru_cache(maxsize=1)
def _table() -> dict[str, NetworkConfiguration]:
    text = resources.files(__package__).joinpath("configurations.json").read_text("utf-8")
    return {name: NetworkConfiguration(name, **row) for name, row in json.loads(text).items()}


def configurations() -> list[str]:
    """Names that `build` accepts."""
    return list(_table())


def configuration(name: str) -> NetworkConfiguration:
    """The configuration called `name`.

    An architecture string of the LightTrack search space is a name too.

    Raises:
        ParameterError: no such name; lists what there is.
    """
    table = _table()
    if name in table:
        return table[name]
    if name.startswith("back_"):
        return NetworkConfiguration(name, "lighttrack", {"architecture": name}, "LightTrack subnet")
    close = difflib.get_close_matches(name, table, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ParameterError(f"unknown network {name!r}; one of: {', '.join(table)}{hint}")


def build(name: str = "et_tracker") -> TrackingNetwork:
    """Make the network `name` with fresh random parameters, in training mode.

    Raises:
        ParameterError: no such name.
    """
    chosen = configuration(name)
    return NETWORKS[chosen.network](**chosen.options)
