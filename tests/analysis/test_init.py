"""Public names: each can be had in both ways of importing."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from pytracking_et import analysis


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_name_resolves(name):
    assert callable(getattr(analysis, name))


def test_type_checkers_are_told_of_the_names():
    tree = ast.parse(Path(analysis.__file__).read_text(encoding="utf-8"))
    told = {
        (alias.name, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert told == {(n, home) for n, home in analysis._MODULE.items() if home != "plot_results"}


@pytest.mark.parametrize("name", ["plot_results", "playback_results"])
def test_pytrackings_modules_can_be_called_too(name):
    module = importlib.import_module(f"pytracking_et.analysis.{name}")
    assert getattr(analysis, name) is module
    assert callable(getattr(module, name))
    with pytest.raises(TypeError, match="required positional arguments"):
        module()


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        analysis.nothing  # noqa: B018
