from __future__ import annotations

import json

import pytest

from ltr_et.research.ablation.__main__ import TABLES
from ltr_et.research.ablation.report import Context, Result, frame, note, order, rows, write
from pytracking_et import network

CONTEXT = Context(
    6000, 8, (0, 1), {"shared": 53, "wtrack": 18}, "ablation modules", {"cpu": "a CPU"}
)


@pytest.mark.parametrize("table", TABLES)
def test_rows_build_and_have_published_figures(table):
    for row in rows(table):
        assert row.configuration in network.configurations()
        assert set(row.published) == {"NFS", "OTB-100", "LaSOT"}


def test_published_figures_of_a_row():
    assert rows("components")[2].published == {"NFS": 58.0, "OTB-100": 67.3, "LaSOT": 59.1}
    resnet = {row.configuration: row.published for row in rows("backbones")}
    assert resnet["resnet18_conv"] == {"NFS": 55.8, "OTB-100": 65.3, "LaSOT": 55.9}
    assert resnet["resnet18_et"] == {"NFS": 57.3, "OTB-100": 65.7, "LaSOT": 56.5}


def trained(row, means, start="LT-Mobile's backbone and correlation, frozen backbone"):
    sets = {"shared": [mean + 1 for mean in means], "wtrack": [mean - 1 for mean in means]}
    cost = {"parameters": 1_970_000, "macs": 512_000_000}
    return Result(
        row, list(range(len(means))), {**sets, "mean": list(means)}, [2.0] * len(means), start, cost
    )


def results(*means):
    """Rows of "modules": the first so many are trained."""
    chosen = rows("modules")
    made = [trained(row, values) for row, values in zip(chosen, means, strict=False)]
    return made + [Result(row) for row in chosen[len(means) :]]


def test_means_spread_and_gaps():
    table = frame(results([40.0, 50.0], [41.0]), CONTEXT)
    row = table.loc["Conv"]
    assert (row["AUC shared"], row["AUC wtrack"], row["AUC mean"]) == (46.0, 44.0, 45.0)
    assert row["± mean"] == pytest.approx(7.0711, abs=1e-3)
    assert row["paper OTB-100"] == 66.2
    assert row["Params [M]"] == pytest.approx(1.97)
    assert row["Seeds"] == 2
    assert "Latency [ms]" not in table.columns
    assert table.loc["Standard"].isna()["± mean"]
    assert table.loc["Swin"].isna()["AUC shared"]


@pytest.mark.parametrize(
    ("means", "claims"),
    [
        (([40.0, 42.0], [43.0, 45.0]), ["Standard > Conv"]),
        (([40.0, 43.0], [43.0, 45.0]), []),
        (([40.0, 44.0], [43.0, 45.0]), []),
        (([40.0], [50.0]), []),
        (([50.0, 51.0], [40.0, 41.0], [45.0, 46.0]),
         ["Conv > Standard", "Conv > Clustered", "Clustered > Standard"]),
    ],
)  # fmt: skip
def test_an_order_is_claimed_only_where_every_seed_bears_it_out(means, claims):
    found = results(*means)
    assert order(found) == claims
    text = note(found, CONTEXT)
    assert all(claim in text for claim in claims)
    assert ("no order of rows is claimed" in text) == (not claims)


def test_random_backbones_are_marked_ranked_nowhere_and_not_drawn(tmp_path):
    chosen = rows("backbones")[:2]
    start = "backbone from random weights"
    found = [trained(chosen[0], [10.0, 11.0], start), trained(chosen[1], [20.0, 21.0], start)]
    write("backbones", found, CONTEXT, tmp_path)
    assert "ShuffleNet, Conv (RANDOM backbone)" in (tmp_path / "backbones.md").read_text("utf-8")
    assert order(found) == []
    assert not (tmp_path / "backbones.png").exists()


def test_files_say_what_the_figures_are_worth(tmp_path):
    write("modules", results([40.0, 50.0], [41.0]), CONTEXT, tmp_path)
    for name in ("modules.md", "modules.tex"):
        text = (tmp_path / name).read_text("utf-8")
        for needed in ("6000 pairs", "53 of shared", "not run yet", "not all seeds yet", "66.2"):
            assert needed in text, (name, needed)
    assert "`ablation modules`" in (tmp_path / "modules.md").read_text("utf-8")
    content = json.loads((tmp_path / "modules.json").read_text("utf-8"))
    assert content["rows"][0]["auc"]["mean"] == [40.0, 50.0]
    assert content["context"]["command"] == "ablation modules"
    assert (tmp_path / "modules.png").read_bytes().startswith(b"\x89PNG")
