"""Attribute files; figures per attribute are tested with plot_results."""

from __future__ import annotations

import json

import pytest

from pytracking_et.analysis.eval_data import read_attributes
from pytracking_et.errors import DatasetError


def test_read(tmp_path):
    content = {"order": ["SV", "OCC"], "sequences": {"bike1": ["SV"], "car-1": ["SV", "OCC"]}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    groups = read_attributes(tmp_path / "a.json", ["uav_bike1", "car_1"])
    assert groups == {"SV": ["uav_bike1", "car_1"], "OCC": ["car_1"]}
    with pytest.raises(DatasetError, match="no attributes of: Deer"):
        read_attributes(tmp_path / "a.json", ["Deer"])


def test_shared_lists_cover_their_data_sets(shared):
    for name, sequences, attributes in (("OTB100", 100, 11), ("UAV123", 123, 12)):
        names = [path.stem for path in (shared / "results" / "gt" / name).glob("*.txt")]
        groups = read_attributes(shared / "results" / "attr" / f"{name}.json", names)
        assert len(names) == sequences
        assert len(groups) == attributes
