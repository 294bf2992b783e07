"""`ettrack pack`: the arguments reach the packers; a refusal leaves with 2."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et.commands import main
from pytracking_et.evaluation import Tracker, packers
from pytracking_et.results import files as results
from pytracking_et.results.exchange import starts
from pytracking_et.results.files import Result


@pytest.mark.filterwarnings("ignore:numbers of frames")
def test_pack_got10k(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(packers, "GOT10K_NAMES", ("GOT-10k_Test_000001",))
    for run_id in range(3):
        folder = Tracker("t", "p", run_id, results_path=tmp_path).results_dir
        results.save(tmp_path / folder, "GOT-10k_Test_000001", Result([[1.0, 2, 3, 4]], [0.1]))
    words = ["pack", "got10k", "t", "p", "--results", str(tmp_path)]
    archive = tmp_path / "my results.zip"
    assert main([*words, "--output", str(archive)]) == 0
    assert capsys.readouterr().out.strip() == str(archive)
    assert len(zipfile.ZipFile(archive).namelist()) == 4
    assert main([*words, "--runs", "1"]) == 2
    assert "no archive was written" in capsys.readouterr().err


def test_pack_trackingnet_without_results(tmp_path, capsys):
    with pytest.warns(UserWarning, match="not checked"):
        assert main(["pack", "trackingnet", "t", "p", "--results", str(tmp_path)]) == 2
    assert "run the tracker first" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["mot", "coco", "yolo", "cvat"])
def test_pack_as_tracks(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = tmp_path / "frames"
    frames.mkdir()
    for index, size in enumerate([(30, 120), (40, 60)]):  # each box is a share of its own
        cv2.imwrite(str(frames / f"{index:04d}.png"), np.zeros((*size, 3), np.uint8))
    (frames / "groundtruth.txt").write_text("10,10,8,8\n" * 2)
    folder = Path(Tracker("t", "p", results_path=tmp_path).results_dir)
    words = ["pack", kind, "t", "p", "--results", str(tmp_path)]
    assert main(words) == 2
    assert "which data set" in capsys.readouterr().err
    words += ["--dataset", str(frames)]
    boxes = [[10.0, 10, 8, 8], [11.5, 12, 9, 7]]
    results.save(folder, "frames", Result(boxes, [0.1, 0.1], [1.0, 0.75]))
    assert main(words) == 0
    with zipfile.ZipFile(f"t_p_frames_{kind}.zip") as archive:
        (name,) = archive.namelist()
        text = archive.read(name).decode()
    if kind in ("mot", "cvat"):
        assert starts(text)[0].box == (10, 10, 8, 8)
    assert {"mot": "12.500,13.000", "coco": "11.5", "yolo": "0.266667", "cvat": "11.50"}[
        kind
    ] in text
    # As pytracking leaves them for a tracker without scores; times are no part of a track.
    (folder / "frames_object_presence_scores.txt").write_text("1.000000\n")
    (folder / "frames_time.txt").unlink()
    assert main([*words, "--output", "again"]) == 0
    with zipfile.ZipFile("again.zip") as archive:
        assert archive.namelist() == [name]
    results.save(folder, "frames", Result(boxes[:1], [0.1]))
    assert main(words) == 2
    assert "1 boxes for 2 frames" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["got10k", "t", "p", "--runid", "1"], "--runid 1: got10k packs run ids 0 to 2"),
        (["got10k", "t", "p", "--dataset", "got10k_val"], "--dataset got10k_val goes with tracks"),
        (["trackingnet", "t", "p", "--dataset", "otb"], "--dataset otb goes with tracks"),
        (["trackingnet", "t", "p", "--runs", "3"], "--runs 3 is for got10k; trackingnet packs one"),
        (["mot", "t", "p", "--dataset", "otb", "--runs", "1"], "--runs 1 is for got10k; mot packs"),
        (["mot", "t", "p", "--dataset", "~no-such-user/x"], "write the path in full"),
    ],
)
def test_pack_refuses_what_it_would_not_do(words, message, capsys):
    assert main(["pack", *words]) == 2
    assert message in capsys.readouterr().err
