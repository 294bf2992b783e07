"""Finding trackers and parameter files by name, as pytracking does: NAME and NAME/PARAM.

A tracker is a package `<root>.tracker.NAME` with a function `get_tracker_class()`; a parameter
file is a module `<root>.parameter.NAME.PARAM` with a function `parameters()`. `<root>` is
`pytracking_et`; the environment variable PYTRACKING_ET_PLUGINS (comma-separated import names, e.g.
`pytracking,mylab`) adds roots, so that trackers of others run in this harness unchanged. A
variable, because worker processes inherit it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import process
from ..errors import ParameterError, PytrackingETError, error_line

VARIABLE = "PYTRACKING_ET_PLUGINS"


def roots() -> list[str]:
    """Import names of the packages that hold `tracker/` and `parameter/`."""
    added = (name.strip() for name in os.environ.get(VARIABLE, "").split(","))
    return ["pytracking_et", *(name for name in added if name)]


def tracker_class(name: str) -> type:
    """The class of tracker NAME.

    Raises:
        ParameterError: no such tracker; lists what there is.
    """
    module = _find(f"tracker.{name}") if name.isidentifier() else None
    if module is None:
        raise ParameterError(
            f"unknown tracker {name!r}; there are: {_listing(trackers())} (other packages with "
            f"tracker/ and parameter/ folders are named in {VARIABLE})"
        )
    kind = _call(module, "get_tracker_class")
    if not isinstance(kind, type):
        raise ParameterError(
            f"{module.__name__}.get_tracker_class() returned {kind!r}; it must return a class"
        )
    return kind


def parameters(tracker: str, parameter: str) -> Any:
    """A fresh parameter bag of the file PARAM of tracker NAME.

    Raises:
        ParameterError: no such file; lists what there is.
    """
    path = f"parameter.{tracker}.{parameter}"
    module = _find(path) if tracker.isidentifier() and parameter.isidentifier() else None
    if module is None:
        known = parameter_files(tracker)
        if not known:
            tracker_class(tracker)
        raise ParameterError(
            f"unknown parameter file {parameter!r} of tracker {tracker!r}; there are: "
            f"{_listing(known)}"
        )
    bag = _call(module, "parameters")
    if not hasattr(bag, "__dict__"):
        raise ParameterError(
            f"{module.__name__}.parameters() returned {bag!r}; it must return an object with "
            "attributes, such as TrackerParams()"
        )
    return bag


def code_digest(tracker: str) -> str | None:
    """sha256 of the code of a tracker that is not ours; None for ours, which our version names.

    It covers the tracker's package, and the modules of its class and base classes that lie in the
    same root: not all that these import.
    """
    module = _find(f"tracker.{tracker}")
    if module is None or module.__name__.startswith(f"{roots()[0]}."):
        return None
    root = module.__name__.partition(".")[0]
    files = {Path(module.__file__)} if module.__file__ else set()
    files.update(
        path for folder in getattr(module, "__path__", ()) for path in Path(folder).rglob("*.py")
    )
    for kind in tracker_class(tracker).__mro__:
        defined = sys.modules.get(kind.__module__)
        if kind.__module__.partition(".")[0] == root and getattr(defined, "__file__", None):
            files.add(Path(str(defined.__file__)))  # type: ignore[union-attr]
    total = hashlib.sha256()
    for _, content in sorted((path.name, path.read_bytes()) for path in files):
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def trackers() -> list[str]:
    """Names of all trackers found."""
    return _children("tracker", packages=True)


def parameter_files(tracker: str) -> list[str]:
    """Names of all parameter files of one tracker."""
    return _children(f"parameter.{tracker}", packages=False) if tracker.isidentifier() else []


def _find(path: str) -> ModuleType | None:
    for root in roots():
        name = f"{root}.{path}"
        with users_code(name):
            found = None
            with _not_here(name):
                found = importlib.util.find_spec(name)
            if found is not None:
                return importlib.import_module(name)
    return None


@contextmanager
def _not_here(name: str) -> Iterator[None]:
    """A missing parent package is none; any other failing import inside is the user's to see."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise


def _children(path: str, packages: bool) -> list[str]:
    names: set[str] = set()
    for root in roots():
        name = f"{root}.{path}"
        with users_code(name), _not_here(name):
            parent = importlib.import_module(name)
            found = pkgutil.iter_modules(getattr(parent, "__path__", ()))
            names.update(item.name for item in found if item.ispkg == packages)
            names.update(getattr(parent, "made_files", dict)())
    return sorted(names)


def _call(module: ModuleType, name: str) -> Any:
    function = getattr(module, name, None)
    if not callable(function):
        raise ParameterError(f"{module.__name__} has no function {name}(); pytracking's rule")
    with users_code(f"{module.__name__}.{name}()"):
        return function()


@contextmanager
def users_code(what: str, caller: str = __file__) -> Iterator[None]:
    """Say where code of a user breaks; errors of ours say what to do themselves.

    Args:
        what: of a user's runs in the block.
        caller: file of the block, whose lines are none of the user's.

    Raises:
        ParameterError: names `what`, the error, file and line.
    """
    try:
        yield
    except PytrackingETError:
        raise
    except (Exception, SystemExit) as error:
        lacking = str(getattr(error, "name", None)).partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and lacking in process.REQUIRED:
            raise  # an installation for tracking alone, which every command explains
        frames = traceback.extract_tb(error.__traceback__)
        ours = (__file__, caller, str(Path(importlib.__file__).parent), "<frozen")
        inner = [each for each in frames if not each.filename.startswith(ours)]
        # Its own line, not that of a library where it ends; a syntax error brings its line.
        own = [f"line {each.lineno}" for each in inner if each.filename == inner[0].filename]
        place = f" ({inner[0].filename}, {own[-1]})" if own else ""
        raise ParameterError(f"{what} fails: {error_line(error)}{place}") from error


def _listing(names: list[str]) -> str:
    return ", ".join(names) if names else "none"
