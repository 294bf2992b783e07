from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytracking_et import network
from pytracking_et.commands import main
from pytracking_et.errors import PytrackingETError
from pytracking_et.files import atomic_open, sha256
from pytracking_et.integrations import pytracking_checkout
from pytracking_et.integrations.pytracking_checkout import RECORD, find_package, install, undo


@pytest.fixture
def checkout(tmp_path):
    """The parts of a pytracking tree that matter, written for this test."""
    package = tmp_path / "their repo" / "pytracking"
    for name in ("tracker", "parameter", "evaluation"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "evaluation" / "tracker.py").write_text("class Tracker:\n  def run_sequence(): ...")
    (package / "tracker" / "dimp").mkdir()
    (package / "tracker" / "dimp" / "__init__.py").write_text("# theirs")
    return package.parent


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_install_and_undo_leave_the_tree_as_it_was(checkout):
    before = tree(checkout)
    change = install(checkout)
    assert all(path.is_file() for path in change.files)
    added = [Path(name) for name in set(tree(checkout)) - set(before)]
    assert {path.parts[1:3] for path in added} == {
        ("tracker", "et_tracker"),
        ("parameter", "et_tracker"),
    }
    # Of the tracker only what is read there.
    assert {path.name for path in added if path.parts[1] == "tracker"} == {"__init__.py", RECORD}
    undo(checkout)
    assert tree(checkout) == before


def test_repository_package_or_the_folder_one_stands_in(checkout, monkeypatch):
    monkeypatch.chdir(checkout / "pytracking")
    for given in (checkout, checkout / "pytracking", "."):
        assert find_package(given) == checkout / "pytracking"


def test_an_update_removes_what_former_versions_copied(checkout):
    install(checkout)
    folder = checkout / "pytracking" / "tracker" / "et_tracker"
    (folder / "et_tracker.py").write_text("# copied by a former version")
    record = json.loads((folder / RECORD).read_text())
    record["files"]["et_tracker.py"] = sha256(folder / "et_tracker.py")
    (folder / RECORD).write_text(json.dumps(record))
    install(checkout)
    assert not (folder / "et_tracker.py").exists()


def test_an_interrupted_install_is_finished_by_the_next(checkout, monkeypatch):
    before = tree(checkout)

    def stop_at_one(path, mode="w"):
        if path.name == "et_e16.py":
            raise KeyboardInterrupt
        return atomic_open(path, mode)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pytracking_checkout, "atomic_open", stop_at_one)
        install(checkout)
    assert len(tree(checkout)) > len(before)
    install(checkout)
    undo(checkout)
    assert tree(checkout) == before


@pytest.mark.parametrize("change", [install, undo])
def test_a_checkout_that_cannot_be_written(checkout, monkeypatch, change):
    install(checkout)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pytracking_checkout, "atomic_open", full)
    monkeypatch.setattr(Path, "unlink", full)
    with pytest.raises(PytrackingETError, match=r"cannot change .*No space left.*run the same"):
        change(checkout)


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", '{"files": ["__init__.py"]}', '{"files": {"../__init__.py": "0"}}']
)
def test_a_record_that_is_none(checkout, record):
    install(checkout)
    (checkout / "pytracking" / "tracker" / "et_tracker" / RECORD).write_text(record)
    before = tree(checkout)
    for change in (install, undo):
        with pytest.raises(PytrackingETError, match="no record of install-into"):
            change(checkout)
    assert tree(checkout) == before


def test_what_is_not_ours_is_never_touched(checkout):
    theirs = checkout / "pytracking" / "tracker" / "et_tracker"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("# theirs")
    before = tree(checkout)
    with pytest.raises(PytrackingETError, match="not written by us"):
        install(checkout)
    assert tree(checkout) == before
    assert undo(checkout).kept
    assert tree(checkout) == before


def test_files_added_or_changed_by_hand_are_kept(checkout):
    install(checkout)
    folder = checkout / "pytracking" / "parameter" / "et_tracker"
    changed, added = folder / "et_tracker.py", folder / "mine.py"
    added.write_text("# mine")
    assert install(checkout).files
    with pytest.raises(PytrackingETError, match="already there"):
        install(checkout, link=True)
    changed.write_text("# tuned by hand")
    with pytest.raises(PytrackingETError, match="changed since"):
        install(checkout)
    kept = undo(checkout).kept
    assert (changed.read_text(), added.read_text()) == ("# tuned by hand", "# mine")
    assert kept == (f"{changed}: changed since it was installed", f"{added}: not ours")
    assert (folder / RECORD).is_file()


def test_a_link_does_not_take_the_place_of_a_folder_with_other_files(checkout):
    install(checkout)
    (checkout / "pytracking" / "parameter" / "et_tracker" / "notes.txt").write_text("mine")
    before = tree(checkout)
    with pytest.raises(PytrackingETError, match="already there"):
        install(checkout, link=True)
    assert tree(checkout) == before


@pytest.mark.skipif(os.name == "nt", reason="links need developer mode")
def test_links(checkout):
    before = tree(checkout)
    install(checkout, link=True)
    assert (checkout / "pytracking" / "tracker" / "et_tracker").is_symlink()
    undo(checkout)
    assert tree(checkout) == before


@pytest.mark.skipif(os.name == "nt", reason="links need developer mode")
def test_links_to_something_else_are_not_ours(checkout, tmp_path):
    """Such as to the published plug-in, which has the same names."""
    theirs = tmp_path / "published"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("# theirs")
    link = checkout / "pytracking" / "tracker" / "et_tracker"
    link.symlink_to(theirs, target_is_directory=True)
    for how in (False, True):
        with pytest.raises(PytrackingETError, match="not written by us"):
            install(checkout, link=how)
    assert undo(checkout).kept == (f"{link}: a link to {theirs}, which is not ours",)
    assert link.resolve() == theirs
    theirs.rename(tmp_path / "gone")  # as an environment that was removed
    assert install(checkout).files


def test_files_of_ones_own_that_undo_left_are_no_hindrance(checkout):
    install(checkout)
    mine = checkout / "pytracking" / "parameter" / "et_tracker" / "mine.py"
    mine.write_text("# mine")
    assert undo(checkout).kept == (f"{mine}: not ours",)
    assert install(checkout).files
    assert mine.read_text() == "# mine"


@pytest.mark.parametrize("missing", ["tracker/__init__.py", "evaluation/tracker.py"])
def test_other_folders_are_refused(checkout, missing):
    (checkout / "pytracking" / missing).unlink()
    with pytest.raises(PytrackingETError, match="is no pytracking checkout") as caught:
        install(checkout)
    assert missing in str(caught.value)


@pytest.mark.parametrize("given", ["", "lib", "lib/test"])
def test_the_layout_of_ostrack_is_refused(tmp_path, given):
    """It has the same folders, but loads from lib.test and another kind of tracker."""
    for name in ("tracker", "parameter", "evaluation"):
        (tmp_path / "lib" / "test" / name).mkdir(parents=True)
        (tmp_path / "lib" / "test" / name / "__init__.py").touch()
    harness = tmp_path / "lib" / "test" / "evaluation" / "tracker.py"
    harness.write_text("class Tracker:\n  def run_sequence(): ...")
    before = tree(tmp_path)
    with pytest.raises(PytrackingETError, match="layout of OSTrack and STARK"):
        install(tmp_path / given)
    assert tree(tmp_path) == before


def test_a_package_of_another_name_is_refused(checkout):
    """pytracking's modules import `pytracking.…`, which would not find it."""
    renamed = (checkout / "pytracking").rename(checkout / "tracking")
    with pytest.raises(PytrackingETError, match="tracking: not named 'pytracking'"):
        install(renamed)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("pytracking/evaluation/tracker.py", "class Tracker: ...", "older than 8 April 2020"),
        (
            "ltr/data/loader.py",
            "import torch\nfrom torch._six import string_classes\n",
            "torch._six",
        ),
        ("ltr/data/loader.py", "import torch._six\n", "older than 18 September 2022"),
    ],
)
def test_versions_that_cannot_work_are_refused(checkout, file, text, words):
    (checkout / file).parent.mkdir(parents=True, exist_ok=True)
    (checkout / file).write_text(text)
    before = tree(checkout)
    with pytest.raises(PytrackingETError, match=words):
        install(checkout)
    assert tree(checkout) == before


def test_torch_six_for_old_torch_only_is_no_hindrance(checkout):
    (checkout / "ltr" / "data").mkdir(parents=True)
    text = "if old:\n    from torch._six import int_classes\nelse:\n    int_classes = int\n"
    (checkout / "ltr" / "data" / "loader.py").write_text(text)
    assert install(checkout).files


def printed(checkout, values):
    """What a Python that finds the checkout prints of them, as words."""
    code = f"from importlib import import_module as load; print({values})"
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_parameter_file_is_a_file_that_one_may_change(checkout):
    install(checkout)
    folder = checkout / "pytracking" / "parameter" / "et_tracker"
    assert {path.stem for path in folder.glob("*.py")} == {
        "__init__", "et_tracker_published", *network.configurations()
    }  # fmt: skip
    (folder / "et_e16.py").write_text("def parameters(): return 'changed'\n")
    name = "pytracking.parameter.et_tracker"
    words = f"load('{name}.et_e16').parameters(), load('{name}.et_s2').parameters().network"
    assert printed(checkout, words) == ["changed", "et_s2"]


def test_copied_folders_work_under_pytrackings_names(checkout):
    install(checkout)
    tracker = "load('pytracking.tracker.et_tracker').get_tracker_class()"
    params = "load('pytracking.parameter.et_tracker.et_tracker_published').parameters()"
    words = f"{tracker}({params}).multiobj_mode, {params}.get('lr')"
    assert printed(checkout, words) == ["parallel", "0.616"]


def test_command(checkout, capsys):
    assert main(["install-into", str(checkout)]) == 0
    assert "run_tracker.py et_tracker et_tracker" in capsys.readouterr().out
    assert main(["install-into", str(checkout), "--undo"]) == 0
    assert main(["install-into", str(checkout), "--undo"]) == 0
    assert "nothing of ours" in capsys.readouterr().out
    assert main(["install-into", str(checkout / "nowhere")]) == 2
