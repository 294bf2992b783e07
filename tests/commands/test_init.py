from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytracking_et import commands
from pytracking_et.evaluation import env_settings


def init(*arguments) -> int:
    return commands.main(["init", *map(str, arguments)])


def used() -> Path:
    return Path(os.environ["PYTRACKING_ET_SETTINGS"])


def test_written_once_and_never_again(capsys):
    assert init() == 0
    assert f"wrote {used()}" in capsys.readouterr().out
    used().write_text("otb_path = '/mine'\n")
    assert init() == 0
    assert "was not touched" in capsys.readouterr().out
    assert used().read_text() == "otb_path = '/mine'\n"


def test_settings_given_are_in_effect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert init("--set", "otb_path=data/otb", "--set", r"uav_path=C:\data\uav") == 0
    assert env_settings().otb_path == str(tmp_path / "data" / "otb")
    assert env_settings().uav_path == r"C:\data\uav"


@pytest.mark.parametrize("arguments", [["--here"], ["--file", "own.toml"]])
def test_other_places(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert init(*arguments) == 0
    assert [item.name for item in tmp_path.iterdir()] == [(arguments + ["ettrack.toml"])[1]]
    # PYTRACKING_ET_SETTINGS names another file here, so that this one has no effect.
    assert "not the file in use here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "message"),
    [("otb_path", "NAME=PATH"), ("otb_path=", "NAME=PATH"), ("otb=/x", "unknown setting 'otb'")],
)
def test_bad_settings(capsys, setting, message):
    assert init("--set", setting) == 2
    assert message in capsys.readouterr().err
    assert not used().exists()


def test_settings_for_a_file_that_exists_are_refused(capsys):
    assert init() == 0
    assert init("--set", "otb_path=/x") == 2
    assert "write into it by hand: otb_path = '/x'" in capsys.readouterr().err
