"""Names of data sets and rules."""

from __future__ import annotations

import pytest

from pytracking_et.analysis.rules import RULES, family


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("uav", "uav"),
        ("UAV123", "uav"),
        ("UAV123@10fps", "uav"),
        ("uav123_10fps", "uav"),
        ("UAVDT", "other"),
        ("lasot", "lasot"),
        ("LaSOT", "lasot"),
        ("lasot_extension_subset", "lasot"),
        ("got10k_val", "got10k"),
        ("otb", "other"),
        ("nfs", "other"),
        ("DTB70", "other"),
    ],
)
def test_family(dataset, expected):
    assert family(dataset) == expected


def test_every_rule_names_itself():
    assert list(RULES) == ["pytracking", "ettrack", "lasot-toolkit"]
    assert all(f"rule {name}:" in rule.text for name, rule in RULES.items())
