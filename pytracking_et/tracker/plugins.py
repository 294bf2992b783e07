"""Finding trackers and parameter files by name, as pytracking does: NAME and NAME/PARAM.

A tracker is a package `<root>.tracker.NAME` with a function `get_tracker_class()`; a parameter
file is a module `<root>.parameter.NAME.PARAM` with a function `parameters()`. `<root>` is
`pytracking_et`; the environment variable PYTRACKING_ET_PLUGINS (comma-separated import names, e.g.
`pytracking,mylab`) adds roots, so that trackers of others run in this harness unchanged. A
variable, because worker processes inherit it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..errors import ParameterError

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
    return _function(module, "get_tracker_class")()


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
    return _function(module, "parameters")()


def trackers() -> list[str]:
    """Names of all trackers found."""
    return _children("tracker", packages=True)


def parameter_files(tracker: str) -> list[str]:
    """Names of all parameter files of one tracker."""
    return _children(f"parameter.{tracker}", packages=False) if tracker.isidentifier() else []


def _find(path: str) -> ModuleType | None:
    for root in roots():
        name = f"{root}.{path}"
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError as error:
            # A missing parent package means "not here"; any other import that fails inside it is
            # the user's to see.
            if error.name is None or not name.startswith(error.name):
                raise
            found = None
        if found is not None:
            return importlib.import_module(name)
    return None


def _children(path: str, packages: bool) -> list[str]:
    names: set[str] = set()
    for root in roots():
        try:
            parent = importlib.import_module(f"{root}.{path}")
        except ModuleNotFoundError as error:
            if error.name is None or not f"{root}.{path}".startswith(error.name):
                raise
            continue
        found = pkgutil.iter_modules(parent.__path__)
        names.update(item.name for item in found if item.ispkg == packages)
        names.update(getattr(parent, "made_files", dict)())
    return sorted(names)


def _function(module: ModuleType, name: str) -> Callable[[], Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise ParameterError(f"{module.__name__} has no function {name}(); pytracking's rule")
    return function


def _listing(names: list[str]) -> str:
    return ", ".join(names) if names else "none"
