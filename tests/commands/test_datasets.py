from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytracking_et import commands
from pytracking_et.evaluation import env_settings
from tests.evaluation import trees


def run(*arguments) -> int:
    return commands.main(["datasets", *map(str, arguments)])


def folder(root, name="clip", frames=3, rows=3):
    trees.images(root / name, 1, frames)
    trees.put(root / name / "groundtruth.txt", trees.rows(rows))
    return root / name


def test_list_shows_sizes_and_folders(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", str(tmp_path))
    assert run("list") == 0
    shown = capsys.readouterr().out
    assert "59,035" in shown
    assert str(tmp_path) in shown
    assert "(not set: uav_path)" in shown


def test_a_complete_folder(capsys, tmp_path):
    assert run("check", folder(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "1 sequences, 3 frames, 0 with the target absent" in shown
    assert "complete" in shown


def test_problems_give_a_non_zero_exit_code(capsys, tmp_path):
    path = folder(tmp_path, rows=2)
    assert run("check", path) == 1
    shown = capsys.readouterr().out
    assert "clip: mismatched: 2 rows in" in shown
    assert "0 missing, 1 mismatched, 0 unreadable" in shown


@pytest.mark.parametrize(("limit", "lines", "more"), [(4, 4, 196), (0, 200, 0), (500, 200, 0)])
def test_limit(capsys, tmp_path, limit, lines, more):
    assert run("check", "otb", "--dataset-root", tmp_path, "--limit", limit) == 1
    shown = capsys.readouterr().out
    assert shown.count(": missing: ") == lines
    assert (f"and {more} more" in shown) == bool(more)


def test_a_part_of_a_set_says_so(capsys, tmp_path):
    trees.images(tmp_path / "x", 1, 2)
    trees.put(tmp_path / "x.txt", trees.rows(2))
    row = (
        '[{"name": "x", "path": "x", "anno_path": "x.txt", "startFrame": 1, "endFrame": 2,'
        ' "nz": 4, "ext": "jpg"}]'
    )
    trees.put(tmp_path / "sequences.json", row)
    assert run("check", "otb", "--dataset-root", tmp_path) == 0
    assert "1 sequences (the full set has 100)" in capsys.readouterr().out


def test_deep_reads_every_image(capsys, tmp_path):
    path = folder(tmp_path)
    trees.put(path / "0003.jpg", trees.JPEG[:-20])
    assert run("check", path) == 0
    assert run("check", path, "--deep") == 1
    assert "0003.jpg" in capsys.readouterr().out


def test_all_that_are_set_are_checked_even_after_a_failure(capsys, monkeypatch, tmp_path):
    trees.got10k(tmp_path / "got", "val", 5)
    monkeypatch.setenv("PYTRACKING_ET_GOT10K_PATH", str(tmp_path / "got"))
    monkeypatch.setenv("PYTRACKING_ET_TRACKINGNET_PATH", str(tmp_path / "gone"))
    assert run("check") == 1
    shown = capsys.readouterr().out
    assert "trackingnet: data set 'trackingnet'" in shown
    assert "got10k_test: annotation file" in shown
    assert "got10k_val: 1 sequences (the full set has 180), 5 frames" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "ettrack init"),
        (["check", "otb", "uav", "--dataset-root", "x"], "--dataset-root is the folder of one"),
        (["check", "--dataset-root", "x"], "--dataset-root is the folder of one"),
    ],
)
def test_bad_input(capsys, arguments, message):
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err


def test_unknown_name(capsys):
    assert run("check", "otbb") == 1
    assert "Did you mean 'otb'" in capsys.readouterr().out


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
