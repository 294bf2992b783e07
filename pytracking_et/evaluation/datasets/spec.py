"""The registry of benchmarks: data/datasets.json as objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ...errors import DatasetError
from ...files import reading


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

    def excluded(self) -> frozenset[str]:
        """Names that are left out."""
        return frozenset(package_json(self.exclude)) if self.exclude else frozenset()

    @staticmethod
    def read_rows(path: Path) -> list[dict[str, Any]]:
        """Rows of a user's sequences.json.

        Raises:
            DatasetError: it is not a JSON list of objects.
        """
        with reading(path, DatasetError, "correct it, or remove it to take the folder as it is"):
            rows = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DatasetError(f"{path} must hold a list of objects, one for each sequence")
        return rows


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
