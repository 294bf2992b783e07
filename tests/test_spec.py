"""A tracker by name, with what is asked of it."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.evaluation import Tracker
from pytracking_et.spec import TrackerSpec, parameter_for

ASKED = {"checkpoint": "w.npz", "engine": "onnx", "precision": "f32", "threads": 2}


def test_what_is_given_is_set_and_nothing_else(fakelab):
    params = TrackerSpec("fake", "other", **ASKED).parameters()
    assert {name: params.get(name) for name in ASKED} == ASKED
    bare = TrackerSpec("fake", "plain").parameters()
    assert not any(bare.has(name) for name in ASKED)


def test_unknown_parameter_file(fakelab):
    with pytest.raises(ParameterError, match="unknown parameter file 'none' of tracker 'fake'"):
        TrackerSpec("fake", "none").parameters()


def test_the_harness_tracker_is_made_of_one_and_gives_it_back(tmp_path):
    spec = TrackerSpec("a", "b", **ASKED)
    tracker = Tracker.of(spec, 3, display_name="shown", results_path=str(tmp_path))
    assert tracker.spec == spec == pickle.loads(pickle.dumps(spec))
    assert (tracker.run_id, tracker.display_name, tracker.results_path) == (
        3,
        "shown",
        str(tmp_path),
    )
    assert str(spec) == "a/b"


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["head.cls_tower.0.weight"], "lt_mobile"), (["cls_branch_1.weight"], "et_tracker")],
)
def test_the_parameter_file_follows_the_weights(tmp_path, names, expected, monkeypatch):
    path = tmp_path / "weights.npz"
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.zeros(3, np.float32) for name in names})
    path.write_bytes(buffer.getvalue())
    assert parameter_for(path) == expected
    assert parameter_for(None) == "et_tracker"
    monkeypatch.setenv("PYTRACKING_ET_CHECKPOINT", str(path))
    assert parameter_for(None) == expected
