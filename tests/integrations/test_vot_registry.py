from __future__ import annotations

import argparse
import configparser
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from pytracking_et.commands import main
from pytracking_et.errors import ParameterError, PytrackingETError
from pytracking_et.integrations import vot_registry
from pytracking_et.integrations.vot_registry import (
    Entry,
    add_tracker_arguments,
    command_line,
    make_entry,
    tracker_words,
    write_entry,
)

MINE = "# mine\n[other]\ncommand = x %% y\n\n; about last\n[last]\ncommand: z"
ENTRY = Entry("et", f"python -m {vot_registry.MODULE} --checkpoint /50%/w.npz")


def read(path: Path) -> configparser.ConfigParser:
    """As the toolkit's Registry reads it."""
    config = configparser.ConfigParser()
    assert config.read(path)
    return config


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_tracker_arguments(parser)
    return parser.parse_args(words)


def test_new_file(tmp_path):
    path = write_entry(tmp_path / "workspace", ENTRY)
    assert path == tmp_path / "workspace" / "trackers.ini"
    section = read(path)["et"]
    assert section["command"] == ENTRY.command
    assert section["protocol"] == "trax"


def test_other_entries_and_comments_stay(tmp_path):
    (tmp_path / "trackers.ini").write_text(MINE)
    text = write_entry(tmp_path, ENTRY).read_text()
    assert text == f"{MINE}\n\n{ENTRY.text()}"
    assert read(tmp_path / "trackers.ini").sections() == ["other", "last", "et"]


def test_windows_line_ends_stay(tmp_path):
    path = tmp_path / "trackers.ini"
    mine = MINE.replace("\n", "\r\n").encode() + b"\r\n"
    path.write_bytes(mine)
    for _ in range(2):
        write_entry(tmp_path, ENTRY)
        section = ENTRY.text().replace("\n", "\r\n").encode()
        assert path.read_bytes() == mine + b"\r\n" + section
    assert read(path)["et"]["command"] == ENTRY.command


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PytrackingETError, match=r"cannot write .*trackers\.ini"):
        write_entry(tmp_path / "file", make_entry("a", []))


@pytest.mark.parametrize("after", ["", "\n# about next\n[next]\ncommand = y\n"])
def test_our_own_entry_is_brought_up_to_date(tmp_path, after):
    path = tmp_path / "trackers.ini"
    old = Entry("et", f"old_python -m {vot_registry.MODULE}")
    path.write_text(f"{MINE}\n{old.text()}{after}")
    write_entry(tmp_path, ENTRY)
    assert path.read_text() == f"{MINE}\n{ENTRY.text()}{after}"
    write_entry(tmp_path, ENTRY)
    assert path.read_text() == f"{MINE}\n{ENTRY.text()}{after}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[et]\ncommand = theirs\n", r"\[et\] that is not ours"),
        ("[et]\nprotocol = trax\n", r"\[et\] that is not ours"),
        ("command = of no section\n", "cannot be read"),
        ("[a]\nx = 1\n[a]\nx = 2\n", "cannot be read"),
    ],
)
def test_a_file_that_is_left_alone(tmp_path, text, words):
    path = tmp_path / "trackers.ini"
    path.write_text(text)
    with pytest.raises(PytrackingETError, match=words):
        write_entry(tmp_path, ENTRY)
    assert path.read_text() == text


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ü", "a@1"])
def test_names_that_the_toolkit_refuses(name):
    with pytest.raises(ParameterError, match="--name"):
        make_entry(name, [])


WORDS = [r"C:\Program Files\Python\python.exe", "-m", "x", "--checkpoint", "my weights.npz"]


def test_quoting_elsewhere():
    assert shlex.split(command_line(WORDS, windows=False)) == WORDS


def test_quoting_on_windows():
    line = command_line(WORDS, windows=True)
    assert line == r'"C:\Program Files\Python\python.exe" -m x --checkpoint "my weights.npz"'


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--parameter", "lt_mobile", "--threads", "2"],
        ["--tracker", "mine", "--engine", "onnx", "--precision", "bf16"],
    ],
)
def test_words(words):
    assert tracker_words(parsed(*words)) == words


def test_checkpoint_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracker_words(parsed("--checkpoint", "w.npz"))[1] == str(tmp_path.resolve() / "w.npz")
    assert tracker_words(parsed("--checkpoint", "official"))[1] == "official"  # of the cache
    (tmp_path / "official").mkdir()
    assert tracker_words(parsed("--checkpoint", "official"))[1] == str(tmp_path / "official")


def test_a_checkout_that_is_not_installed_gets_a_python_path(tmp_path, monkeypatch):
    """A fresh interpreter knows the package by its path in the entry only."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = next(
        p for p in (bare / "bin" / "python", bare / "Scripts" / "python.exe") if p.exists()
    )
    # Ours finds it through the working folder or PYTHONPATH; neither helps in the toolkit.
    monkeypatch.setenv("PYTHONPATH", str(Path(vot_registry.__file__).parents[2]))
    entry = make_entry("et", [], python=str(python))
    assert entry.python_path == str(Path(vot_registry.__file__).resolve().parents[2])
    section = read(write_entry(tmp_path, entry))["et"]
    assert section["env_pythonpath"] == entry.python_path


class TestCommand:
    def test_writes_for_this_interpreter(self, tmp_path, checkpoint, capsys):
        words = ("--parameter", "lt_mobile", "--checkpoint", str(checkpoint))
        assert main(["vot-init", str(tmp_path), *words]) == 0
        section = read(tmp_path / "trackers.ini")["pytracking_et_lt_mobile"]
        expected = [sys.executable, "-m", vot_registry.MODULE, *words]
        assert section["command"] == command_line(expected)
        assert "vot evaluate pytracking_et_lt_mobile" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("version", "told"),
        [("0.7.4", False), ("0.8.0", True), ("0.9.0", True), ("1.0", True), (None, False)],
    )
    def test_a_toolkit_that_fails_is_told(
        self, tmp_path, checkpoint, capsys, monkeypatch, version, told
    ):
        def installed(name):
            if version is None:
                raise PackageNotFoundError(name)
            return version

        monkeypatch.setattr(vot_registry, "version", installed)
        assert main(["vot-init", str(tmp_path), "--checkpoint", str(checkpoint)]) == 0
        error = capsys.readouterr().err
        assert (f"vot-toolkit {version}" in error and "multistart" in error) == told

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--tracker", "nosuch"], "nosuch"),
            (["--engine", "onx"], "onx"),
            (["--threads", "0"], "threads"),
        ],
    )
    def test_what_the_tracker_would_refuse_is_told_at_once(
        self, tmp_path, checkpoint, capsys, words, message
    ):
        words = ["--parameter", "lt_mobile", "--checkpoint", str(checkpoint), *words]
        assert main(["vot-init", str(tmp_path), *words]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "trackers.ini").exists()

    def test_other_trackers_have_entries_of_their_own(self, fakelab, tmp_path, capsys):
        words = ["vot-init", str(tmp_path), "--tracker", "fake", "--parameter", "plain"]
        assert main(words) == 0
        assert "fake_plain" in read(tmp_path / "trackers.ini")
        assert main([*words, "--threads", "1"]) == 2
        assert "--threads are for et_tracker" in capsys.readouterr().err

    def test_missing_weights_are_told_at_once(self, tmp_path, capsys):
        assert main(["vot-init", str(tmp_path), "--checkpoint", "gone.npz"]) == 2
        assert "gone.npz" in capsys.readouterr().err
        assert not (tmp_path / "trackers.ini").exists()
