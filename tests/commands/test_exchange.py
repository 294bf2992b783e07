"""`ettrack pack`: the arguments reach the packers; a refusal leaves with 2."""

from __future__ import annotations

import zipfile

import pytest

from pytracking_et.commands import main
from pytracking_et.evaluation import Tracker, packers
from pytracking_et.results import files as results
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
