"""Public names: each can be had in both ways of importing."""

from __future__ import annotations

import importlib

import pytest

from pytracking_et import analysis


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_name_resolves(name):
    assert callable(getattr(analysis, name)) or name in ("RULES", "FIGURES", "LOOKS")


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
