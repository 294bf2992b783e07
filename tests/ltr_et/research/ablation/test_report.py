from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ltr_et.research.ablation.report import Context, Result, frame, write
from ltr_et.research.ablation.rows import rows

CONTEXT = Context(
    "60s of training", (0, 1), {"otb": ("OTB-100", 3), "uav": (None, 2)}, "ablation modules",
    {"cpu": "a CPU"},
)  # fmt: skip


def results() -> list[Result]:
    found = [Result.of(row) for row in rows("modules")]
    found[0].auc = {"otb": [40.0, 50.0], "uav": [30.0, 30.0]}
    found[0].pairs, found[0].minutes, found[0].start = [320, 352], [1.0, 1.1], "random weights"
    found[0].cost = {
        "parameters": 1_970_000, "macs": 512_000_000, "latency_ms": 20.5, "memory_mb": None,
        "engine": "onnx f32",
    }  # fmt: skip
    found[1].failure = "no such file"
    return found


def test_means_spread_and_gaps():
    table = frame(results(), CONTEXT)
    row = table.loc["Conv"]
    assert row["AUC otb (3 seq.)"] == 45.0
    assert row["± otb"] == pytest.approx(7.0711, abs=1e-3)
    assert row["paper OTB-100"] == 66.2
    assert row["paper NFS"] == 55.3
    assert row["Params [M]"] == pytest.approx(1.97)
    assert row["Pairs"] == 336
    assert row.isna()["Memory [MB]"]
    assert table.loc["Swin"].isna()["AUC otb (3 seq.)"]
    assert "AUC otb (3 seq., first 60 frames)" in frame(results(), replace(CONTEXT, frames=60))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeds": [1, 0], "sequences": {"otb": 3, "uav": 2}}, ""),
        ({"seeds": [0, 1], "sequences": {"otb": 3, "uav": 2, "lasot": 9}}, ""),
        # As earlier versions stored rows.
        ({}, ""),
        ({"pairs": [320]}, "1 seeds"),
        ({"seeds": [2, 3]}, "seeds 2, 3"),
        ({"seeds": [0, 1], "sequences": {"otb": 12, "uav": 2}}, "12 sequences of otb"),
        ({"seeds": [0, 1], "auc": {"otb": [40.0, 50.0]}}, "not evaluated on uav"),
        ({"seeds": [0, 1], "auc": {"otb": [40.0]}, "failure": "x", "pairs": [320]}, ""),
        ({"seeds": [2], "auc": {"otb": [40.0]}, "failure": "x", "pairs": [320]}, "seeds 2"),
        ({"pairs": []}, ""),
    ],
)
def test_rows_of_other_seeds_or_data_are_told(values, message):
    assert CONTEXT.differs(replace(results()[0], **values)) == message


def test_files_say_what_the_figures_are_worth(tmp_path):
    write("modules", results(), CONTEXT, tmp_path)
    for name in ("modules.md", "modules.tex"):
        text = (tmp_path / name).read_text()
        for needed in (
            "60s of training",
            "NOT COMPARABLE",
            "Standard FAILED",
            "not run yet",
            "66.2",
        ):
            assert needed in text, (name, needed)
    assert "`ablation modules`" in (tmp_path / "modules.md").read_text()
    content = json.loads((tmp_path / "modules.json").read_text())
    assert content["rows"][0]["auc"]["otb"] == [40.0, 50.0]
    assert content["context"]["command"] == "ablation modules"
    assert (tmp_path / "modules.png").read_bytes().startswith(b"\x89PNG")
