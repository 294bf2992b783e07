"""Attribute files; figures per attribute are tested with plot_results."""

from __future__ import annotations

import json

import pytest

from pytracking_et.analysis.eval_data import read_attributes
from pytracking_et.errors import DatasetError


def test_read(tmp_path):
    content = {"order": ["SV", 2], "sequences": {"bike1": ["SV"], "car-1": ["SV", 2]}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    groups = read_attributes(tmp_path / "a.json", ["uav_bike1", "car_1"])
    assert groups == {"SV": ["uav_bike1", "car_1"], "2": ["car_1"]}
    with pytest.raises(DatasetError, match="no attributes of: Deer"):
        read_attributes(tmp_path / "a.json", ["Deer"])
