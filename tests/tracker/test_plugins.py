"""Trackers and parameter files found by name; unknown names list what there is."""

from __future__ import annotations

import sys

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


@pytest.mark.parametrize(
    ("lab", "text", "error", "words"),
    [
        ("brokenlab", "import no_such_library\n", ModuleNotFoundError, "no_such_library"),
        ("emptylab", "", ParameterError, r"emptylab.tracker.odd has no function"),
    ],
)
def test_what_is_wrong_inside_a_plugin_is_told(tmp_path, monkeypatch, lab, text, error, words):
    package = tmp_path / lab / "tracker" / "odd"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, f"{lab}, ")
    with pytest.raises(error, match=words):
        plugins.tracker_class("odd")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tracker/quits/__init__.py", "import sys\nsys.exit(0)\n"),
        ("tracker/quits/__init__.py", "import sys\ndef get_tracker_class(): sys.exit(0)\n"),
    ],
)
def test_a_plugin_that_ends_the_program_is_told(tmp_path, monkeypatch, file, text):
    (tmp_path / "quitlab" / file).parent.mkdir(parents=True)
    (tmp_path / "quitlab" / file).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("quitlab")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv(plugins.VARIABLE, "quitlab")
    with pytest.raises(ParameterError, match=r"quitlab.*ends the program \(sys.exit\(0\)\)"):
        plugins.tracker_class("quits")


class TestCode:
    @pytest.fixture
    def lab(self, tmp_path, monkeypatch):
        """A plug-in whose class lies in a package and its base class beside it."""
        tracker = tmp_path / "codelab" / "tracker" / "mine"
        tracker.mkdir(parents=True)
        (tmp_path / "codelab" / "base.py").write_text("class Base: pass\n")
        text = "from codelab.base import Base\nclass Own(Base): pass\n"
        (tracker / "own.py").write_text(f"{text}def get(): return Own\n")
        (tracker / "__init__.py").write_text("from .own import get as get_tracker_class\n")
        monkeypatch.syspath_prepend(tmp_path)
        for name in [name for name in sys.modules if name.startswith("codelab")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setenv(plugins.VARIABLE, "codelab")
        return tmp_path / "codelab"

    @pytest.mark.parametrize("file", ["tracker/mine/own.py", "tracker/mine/__init__.py", "base.py"])
    def test_a_change_shows(self, lab, file):
        before = plugins.code_digest("mine")
        assert before is not None and plugins.code_digest("mine") == before
        with (lab / file).open("a") as stream:
            stream.write("# changed\n")
        assert plugins.code_digest("mine") != before

    def test_other_files_do_not_count(self, lab):
        before = plugins.code_digest("mine")
        (lab / "other.py").write_text("")
        (lab / "tracker" / "mine" / "notes.txt").write_text("")
        assert plugins.code_digest("mine") == before

    def test_ours_is_of_our_version(self):
        assert plugins.code_digest("et_tracker") is None
