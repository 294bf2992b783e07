"""Rows of the paper's tables (tables.json): configuration and published figures of each."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pytracking_et.analysis.summary import published_figures
from pytracking_et.errors import ParameterError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        label: as the table shows it.
        configuration: name for `network.build`.
        published: AUC in percent by data set ("OTB-100", "NFS", "LaSOT").
    """

    label: str
    configuration: str
    published: dict[str, float]


@dataclass(frozen=True)
class Budget:
    """What a row may cost: `seconds` of training, or `pairs` seen; the other is None."""

    text: str
    seconds: float | None
    pairs: int | None

    @staticmethod
    def parse(text: str) -> Budget:
        """Read "90s", "20m", "2h" (training time) or "4000" (pairs).

        Raises:
            ParameterError: neither of them, or nothing.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip().lower())
        amount = float(match[1]) if match else 0.0
        if match is None or amount <= 0 or (not match[2] and not match[1].isdigit()):
            raise ParameterError(
                f"budget {text!r} is no time such as 90s, 20m or 2h, and no number of pairs"
            )
        if match[2]:
            return Budget(text.strip().lower(), amount * _UNITS[match[2]], None)
        return Budget(text.strip(), None, int(amount))

    def __str__(self) -> str:
        return f"{self.text} of training" if self.pairs is None else f"{self.pairs} pairs"


@cache
def _content() -> dict[str, list[dict[str, Any]]]:
    return json.loads((files(__package__) / "tables.json").read_text(encoding="utf-8"))


def tables() -> list[str]:
    """Names of the tables."""
    return list(_content())


def rows(table: str, only: Sequence[str] = ()) -> list[Row]:
    """Rows of a table in the paper's order.

    Args:
        only: labels or configurations to keep; empty: all.

    Raises:
        ParameterError: no such table or row.
    """
    if table not in _content():
        raise ParameterError(f"unknown table {table!r}; one of: {', '.join(_content())}")
    found = [_row(table, entry) for entry in _content()[table]]
    known = {name for row in found for name in (row.label, row.configuration)}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ParameterError(
            f"table {table!r} has no row {unknown[0]!r}; one of: "
            f"{', '.join(row.configuration for row in found)}"
        )
    return [row for row in found if not only or row.label in only or row.configuration in only]


def _row(table: str, entry: dict[str, Any]) -> Row:
    figures = published_figures(table).loc[entry["row"]]
    prefix = entry.get("columns", "")
    published = {
        str(column).removeprefix(f"{prefix} "): float(value)
        for column, value in figures.items()
        if str(column).startswith(prefix) and math.isfinite(value)
    }
    label = f"{entry['row']}, {prefix}" if prefix else entry["row"]
    return Row(label, entry["configuration"], published)
