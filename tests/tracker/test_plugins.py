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


NOTHING = "def get_tracker_class(): return None\n"
CLASS = "def get_tracker_class(): return object\n"


@pytest.mark.parametrize(
    ("tracker", "parameter", "words"),
    [
        ("", "", "oddlab.tracker.odd has no function get_tracker_class"),
        (NOTHING, "", r"get_tracker_class\(\) returned None; it must return a class"),
        ("import no_such", "", r"odd fails: ModuleNotFoundError: .*no_such.*__init__.py, line 1\)"),
        ("def f(:", "", "odd fails: SyntaxError"),
        ("import sys\nsys.exit(0)", "", r"odd fails: SystemExit: 0 \(.*__init__.py, line 2\)"),
        (f"import sys\n{NOTHING[:24]} sys.exit(0)", "", r"tracker_class\(\) fails: SystemExit"),
        (
            CLASS,
            "def parameters(): pass",
            r"parameters\(\) returned None; .* an object with attrib",
        ),
        (
            CLASS,
            "def parameters(): return {}[1]",
            r"parameters\(\) fails: KeyError: 1 \(.*line 1\)",
        ),
        (CLASS, "import no_such", "default fails: ModuleNotFoundError"),
    ],
)
def test_what_is_wrong_inside_a_plugin_is_told(tmp_path, monkeypatch, tracker, parameter, words):
    for place, text in (("tracker/odd/__init__", tracker), ("parameter/odd/default", parameter)):
        path = tmp_path / "oddlab" / f"{place}.py"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("oddlab")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv(plugins.VARIABLE, "oddlab, ")
    with pytest.raises(ParameterError, match=words):
        plugins.tracker_class("odd")
        plugins.parameters("odd", "default")


def test_a_plugin_whose_own_package_breaks_is_told(tmp_path, monkeypatch):
    (tmp_path / "zerolab").mkdir()
    (tmp_path / "zerolab" / "__init__.py").write_text("\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "zerolab")
    with pytest.raises(ParameterError, match=r"ZeroDivisionError.*zerolab.__init__.py, line 2\)"):
        plugins.tracker_class("no_such")


@pytest.mark.parametrize("name", ["./lab", ".lab", "a..b", "filelab"])
def test_a_plugin_that_is_no_package_is_told(tmp_path, monkeypatch, name):
    (tmp_path / "filelab").mkdir()
    (tmp_path / "filelab" / "tracker.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, name)
    with pytest.raises(ParameterError):
        plugins.tracker_class("no_such")


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
