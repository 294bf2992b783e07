"""The floors of docs/architecture.md hold: no import upwards, no circle."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("pytracking_et", "ltr_et")
# What is still to be mended: importer, imported. The list may only get shorter.
UPWARDS: set[tuple[str, str]] = set()
CIRCLES: set[frozenset[str]] = set()


@cache
def modules() -> dict[str, Path]:
    """Files of both packages by the name they are imported under."""
    found = {}
    for file in (file for house in HOUSES for file in (ROOT / house).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(text: str, package: str) -> set[str]:
    """Names of the modules that code of `package` imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *([node.module or ""])]).rstrip(".")
            for alias in node.names:
                inside = f"{base}.{alias.name}"
                found.add(inside if inside in modules() else base)
    return found


@cache
def graph() -> dict[str, set[str]]:
    """Each module of ours with those of ours that it imports."""
    edges = {}
    for name, file in modules().items():
        package = name if file.stem == "__init__" else name.rpartition(".")[0]
        named = imports(file.read_text(encoding="utf-8"), package)
        edges[name] = {each for each in named if each in modules() and each != name}
    return edges


@cache
def floors() -> list[list[str]]:
    """Rooms of each floor, the top floor first: the table of the manual, as patterns of names."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("| rooms |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table]
    return [[_pattern(room) for room in cell] for cell in cells]


def _pattern(room: str) -> str:
    name = room.removesuffix(".py").rstrip("/").replace("/", ".")
    return name if name in HOUSES else f"pytracking_et.{name}".removesuffix(".__init__")


def room_of(module: str) -> str:
    """The most exact of the rooms that `module` lies in; "" where it is in none."""
    rooms = [room for floor in floors() for room in floor]
    # The front door is a file, and no room for all that lies behind it.
    behind = [room for room in rooms if room != "pytracking_et"]
    inside = [each for each in behind if fnmatchcase(module, each) or module.startswith(each + ".")]
    return module if module in rooms else max(inside, key=len, default="")


def upwards() -> set[tuple[str, str]]:
    """Imports of another room on the same floor or one above."""
    level = {room: number for number, floor in enumerate(floors()) for room in floor}
    return {
        (name, other)
        for name, others in graph().items()
        for other in others
        if room_of(name) != room_of(other) and level[room_of(name)] >= level[room_of(other)]
    }


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """Groups of modules that reach one another."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        seen: set[str] = set()
        todo = [start]
        while todo:
            new = edges[todo.pop()] - seen
            seen |= new
            todo += new
        reached[start] = seen
    return {
        frozenset(other for other in seen if name in reached[other])
        for name, seen in reached.items()
        if name in seen
    }


def test_every_module_has_a_room() -> None:
    assert [name for name in modules() if not room_of(name)] == []


def test_every_room_of_the_manual_exists() -> None:
    inhabited = {room_of(name) for name in modules()}
    assert [room for floor in floors() for room in floor if room not in inhabited] == []


def test_no_import_upwards() -> None:
    assert upwards() == UPWARDS


def test_no_circles() -> None:
    assert circles(graph()) == CIRCLES


@pytest.mark.parametrize(
    ("code", "package", "found"),
    [
        ("import pytracking_et.files", "x", {"pytracking_et.files"}),
        ("from ..files import home", "pytracking_et.live", {"pytracking_et.files"}),
        ("from .. import files", "pytracking_et.live", {"pytracking_et.files"}),
        ("def f():\n from . import run", "pytracking_et.live", {"pytracking_et.live.run"}),
        ("from .errors import BoxError", "pytracking_et", {"pytracking_et.errors"}),
    ],
)
def test_imports_are_found(code: str, package: str, found: set[str]) -> None:
    assert imports(code, package) == found


def test_circles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert circles(edges) == {frozenset({"b", "c"})}
