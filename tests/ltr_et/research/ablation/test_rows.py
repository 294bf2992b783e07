from __future__ import annotations

import pytest

from ltr_et.research.ablation.__main__ import TABLES
from ltr_et.research.ablation.rows import Budget, rows, tables
from pytracking_et import network
from pytracking_et.errors import ParameterError


@pytest.mark.parametrize(
    ("text", "seconds", "pairs"),
    [("90s", 90, None), ("2m", 120, None), ("1.5h", 5400, None), ("4000", None, 4000)],
)
def test_budget(text, seconds, pairs):
    budget = Budget.parse(text)
    assert (budget.seconds, budget.pairs) == (seconds, pairs)
    assert text in str(budget)


@pytest.mark.parametrize("text", ["", "0m", "-3m", "1.5", "2 hours", "m"])
def test_other_budgets_are_refused(text):
    with pytest.raises(ParameterError, match="no time such as"):
        Budget.parse(text)


def test_the_command_knows_the_tables():
    assert sorted(tables()) == sorted(TABLES)


@pytest.mark.parametrize("table", tables())
def test_rows_build_and_have_published_figures(table):
    for row in rows(table):
        assert row.configuration in network.configurations()
        assert set(row.published) == {"NFS", "OTB-100", "LaSOT"}


def test_published_figures_of_a_row():
    assert rows("components")[2].published == {"NFS": 58.0, "OTB-100": 67.3, "LaSOT": 59.1}
    resnet = {row.configuration: row.published for row in rows("backbones")}
    assert resnet["resnet18_conv"] == {"NFS": 55.8, "OTB-100": 65.3, "LaSOT": 55.9}
    assert resnet["resnet18_et"] == {"NFS": 57.3, "OTB-100": 65.7, "LaSOT": 56.5}


def test_rows_are_chosen_by_label_or_configuration():
    assert [r.configuration for r in rows("modules", ["Swin", "et_conv"])] == ["et_conv", "et_swin"]
    with pytest.raises(ParameterError, match="no row 'Performer'"):
        rows("modules", ["Performer"])
    with pytest.raises(ParameterError, match="unknown table 'speed'"):
        rows("speed")
