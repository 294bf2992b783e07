"""The table after a run, from result files and ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytracking_et.analysis.summary import result_tables
from pytracking_et.evaluation import Sequence, Tracker
from pytracking_et.results import files as results
from pytracking_et.results.files import Result
from pytracking_et.results.manifest import Manifest

TRUTH = np.array([[10.0, 10, 20, 20]] * 5)


@pytest.fixture
def tracker(tmp_path):
    tracker = Tracker("t", "p", results_path=tmp_path)
    perfect = Result(TRUTH.tolist(), [9.0] + [0.1] * 4)
    half = Result([TRUTH[0].tolist()] + [[500.0, 500, 20, 20]] * 4, [1.0] + [0.05] * 4)
    results.save(Path(tracker.results_dir), "good", perfect)
    results.save(Path(tracker.results_dir), "lost", half)
    return tracker


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def sequences(dataset="otb", truth=TRUTH):
    return [Sequence(name, [""] * 5, dataset, truth) for name in ("good", "lost", "failed")]


def test_scores_fps_and_means(tracker):
    table = rows(result_tables(sequences(), tracker, ["good", "lost"]))
    # A perfect tracker has AUC 95.24 under pytracking's rule: IoU 1 is not > 1.
    assert table["good"] == ["95.24", "100.00", "100.00", "5", "10.00"]
    assert table["lost"][:2] == ["19.05", "20.00"]
    assert table["lost"][-1] == "20.00"
    assert table["mean"][0] == "57.14"
    assert table["mean"][-2:] == ["10", "13.33"]  # 8 tracked frames in 0.6 s
    assert "failed" not in table


@pytest.mark.parametrize("rows", [3, 7])
def test_rows_that_differ_from_the_annotation_are_named(tracker, rows):
    truth = np.tile(TRUTH[0], (rows, 1))
    text = f"'good' has 5 boxes for {rows} annotated frames"
    with pytest.warns(UserWarning, match=text):
        table = result_tables(sequences(truth=truth), tracker, ["good"])
    assert f"ROWS DIFFER: {text}" in table


def test_hidden_ground_truth_has_no_scores(tracker):
    text = result_tables(sequences("got10k_test", TRUTH[:1]), tracker, ["good", "lost"])
    assert rows(text)["good"] == ["5", "10.00"]
    assert "ground truth is hidden" in text


def test_one_table_a_data_set(tracker):
    mixed = [sequences("otb")[0], sequences("uav")[1]]
    text = result_tables(mixed, tracker, ["good", "lost"])
    assert text.count("\nmean ") == 2
    assert "t/p on otb" in text
    assert "t/p on uav" in text


def test_engine_and_precision_stand_below(tracker):
    wanted = ["good", "lost"]
    assert "engine:" not in result_tables(sequences(), tracker, wanted)
    manifest = Manifest.open(Path(tracker.results_dir), "t", "p")
    for name, fingerprint in zip(wanted, "12", strict=True):
        manifest.record(name, fingerprint, "otb", TRUTH[0], [1.0] * 5, {})
        precision = {"1": "f32", "2": "bf16"}[fingerprint]
        manifest.begin(fingerprint, {"engine": "openvino", "precision": precision})
    manifest.write()
    assert "engine: openvino f32" in result_tables(sequences(), tracker, wanted[:1])
    with pytest.warns(UserWarning, match="older settings"):
        text = result_tables(sequences(), tracker, wanted)
    assert "engine: MIXED, by sequences: openvino f32 (1), openvino bf16 (1)" in text
