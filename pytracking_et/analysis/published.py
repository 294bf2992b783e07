"""Published figures, to show where a run stands (published.json; WACV 2023, arXiv 2112.09686)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from ..errors import ParameterError

TABLES = ("trackers", "components", "exemplars", "queries", "backbones", "modules")


@cache
def _content() -> dict[str, Any]:
    text = (files(__package__) / "published.json").read_text(encoding="utf-8")
    return json.loads(text)


def published_figures(table: str = "trackers") -> pd.DataFrame:
    """One table of the paper: AUC in percent (and "CPU fps" in "trackers").

    Args:
        table: "trackers" (the twelve trackers), "components", "exemplars", "queries",
            "backbones" or "modules".
    """
    if table not in TABLES:
        raise ParameterError(f"unknown published table {table!r}; one of: {', '.join(TABLES)}")
    content = _content()[table]
    index = pd.Index(content["rows"], name="tracker" if table == "trackers" else table)
    rows = list(content["rows"].values())
    return pd.DataFrame(rows, index=index, columns=content["columns"], dtype=float)


def source() -> str:
    """Where the figures are from, and what they are."""
    return f"{_content()['source']}; {_content()['note']}"


# Sequences behind each published column: a run on fewer is another benchmark.
_SEQUENCES = {"OTB-100": 100, "UAV-123": 123, "NFS": 100}


def caveat(column: str, sequences: int) -> str:
    """What to say where a run is not on the whole data set; empty where it is."""
    whole = _SEQUENCES[column]
    if sequences == whole:
        return ""
    return f"NOT COMPARABLE: this run is on {sequences} sequences, published figures on {whole}; "


def column_for(dataset: str, sequences: int, anyway: bool = False) -> str | None:
    """`column_of` where a run of so many sequences is on the whole data set, or asked `anyway`."""
    column = column_of(dataset)
    return column if column and (anyway or not caveat(column, sequences)) else None


def column_of(dataset: str) -> str | None:
    """Column of the twelve-tracker table that belongs to a data set, or None.

    UAV123@10fps has none: the published figures are of the 30 fps frames.
    """
    plain = "".join(c for c in dataset.lower() if c.isalnum())
    names = {"otb": "OTB-100", "otb100": "OTB-100", "nfs": "NFS", "nfs30": "NFS"}
    names |= {"uav": "UAV-123", "uav123": "UAV-123"}
    return names.get(plain)
