"""Trackers of a run as the command line changes them."""

from __future__ import annotations

import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.evaluation.experiment import override, select_trackers


def fields(tracker):
    spec = tracker.spec
    return spec.checkpoint, spec.engine, spec.precision, tracker.results_path


def test_only_what_is_given_is_replaced(tmp_path):
    written = {"checkpoint": "w.npz", "engine": "onnx", "precision": "f32"}
    (tracker,) = select_trackers("et_tracker", "et_tracker", results_path=str(tmp_path), **written)
    before = fields(tracker)
    assert [fields(t) for t in override([tracker])] == [before]
    given = {"checkpoint": "v.npz", "engine": "openvino", "precision": "int8"}
    (changed,) = override([tracker], results_path="out", **given)
    assert fields(changed)[:3] == ("v.npz", "openvino", "int8")
    assert str(changed.results_path) == "out"
    (partly,) = override([tracker], precision="bf16")
    assert fields(partly) == (*before[:2], "bf16", before[3])
    assert fields(tracker) == before, "the experiment's own is left alone"


def test_runs_are_numbered():
    assert [t.run_id for t in select_trackers("et_tracker", "et_tracker", runs=3)] == [0, 1, 2]
    with pytest.raises(ParameterError, match="--runs 0"):
        select_trackers("et_tracker", "et_tracker", runs=0)
