"""Trackers and parameter files found by name; unknown names list what there is."""

from __future__ import annotations

import pytest

from pytracking_et import network
from pytracking_et.errors import ParameterError
from pytracking_et.tracker import plugins


def test_own_trackers_are_found_without_plugins():
    assert plugins.trackers() == ["et_tracker"]
    files = plugins.parameter_files("et_tracker")
    assert files == sorted({"et_tracker_published", *network.configurations()})


def test_plugin_packages_add_trackers(fakelab):
    assert {"et_tracker", "fake"} <= set(plugins.trackers())
    assert plugins.tracker_class("fake").__module__ == "tests.fakelab.tracker.fake"
    assert plugins.parameters("fake", "other").strength == 2


@pytest.mark.parametrize("name", ["no_such", "no-such", "../et_tracker", "a.b", ""])
def test_unknown_tracker_lists_what_there_is(name):
    with pytest.raises(ParameterError, match="unknown tracker.*et_tracker"):
        plugins.tracker_class(name)


@pytest.mark.parametrize("name", ["no_such", "no-such", "../lt_mobile", ""])
def test_unknown_parameter_lists_what_there_is(name):
    with pytest.raises(ParameterError, match="unknown parameter file.*lt_mobile"):
        plugins.parameters("et_tracker", name)


def test_parameters_of_an_unknown_tracker():
    with pytest.raises(ParameterError, match="unknown tracker 'no_such'"):
        plugins.parameters("no_such", "x")


def test_import_errors_inside_a_plugin_are_not_hidden(tmp_path, monkeypatch):
    package = tmp_path / "brokenlab" / "tracker" / "broken"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import no_such_library\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "brokenlab")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        plugins.tracker_class("broken")


def test_plugin_without_the_function_is_explained(tmp_path, monkeypatch):
    package = tmp_path / "emptylab" / "tracker" / "empty"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "emptylab, ")
    with pytest.raises(ParameterError, match=r"emptylab.tracker.empty has no function"):
        plugins.tracker_class("empty")
