"""The paper's figures as package data."""

from __future__ import annotations

import pytest

from pytracking_et.analysis.published import TABLES, caveat, column_of, published_figures, source
from pytracking_et.errors import ParameterError


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [
        ("trackers", "E.T.Track", [59.0, 62.3, 67.8, 47]),
        ("trackers", "ECO", [46.6, 51.3, 64.3, 25]),
        ("components", "Conv", [55.3, 66.2, 52.1]),
        ("exemplars", "16 exemplars", [58.0, 66.1, 57.4]),
        ("queries", "S = 2", [46.6, 55.5, 43.7]),
        ("backbones", "MobileNetV3", [56.8, 64.5, 52.1, 56.8, 65.3, 52.7]),
        ("modules", "Swin", [55.4, 64.2, 56.9]),
    ],
)
def test_rows(table, row, expected):
    assert published_figures(table).loc[row].to_list() == expected


def test_every_table_is_whole():
    assert len(published_figures()) == 12
    for table in TABLES:
        assert published_figures(table).notna().all(axis=None)
    assert "WACV 2023" in source()


def test_unknown_table():
    with pytest.raises(ParameterError, match="'mine'.*trackers, components"):
        published_figures("mine")


@pytest.mark.parametrize(
    ("dataset", "column"),
    [
        ("otb", "OTB-100"),
        ("UAV123", "UAV-123"),
        ("nfs", "NFS"),
        ("uav123_10fps", None),
        ("x", None),
    ],
)
def test_column_of(dataset, column):
    assert column_of(dataset) == column


def test_part_of_a_data_set_is_not_comparable():
    assert caveat("UAV-123", 123) == ""
    assert "3 sequences, published figures on 123" in caveat("UAV-123", 3)
