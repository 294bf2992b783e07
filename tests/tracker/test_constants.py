"""Constants that go with a weight file."""

import json

import pytest
import torch

from pytracking_et.errors import CheckpointError
from pytracking_et.network import weights
from pytracking_et.tracker import plugins
from pytracking_et.tracker.params import TrackerParams, loop_parameters
from pytracking_et.tracking.parameters import PRESENCE_NUMBERS

NUMBERS = [0.5] * PRESENCE_NUMBERS


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "w.safetensors"
    weights.save(found, {"a": torch.zeros(2)}, {"parameters": '{"lr": 0.5}'})
    return found


def constants(bag, path):
    return loop_parameters(bag, weights.tuned_parameters(path))


def write(path, digest=None):
    fields = {"weights_sha256": digest or weights.fingerprint(path), "presence": NUMBERS}
    path.with_suffix(".score.json").write_text(json.dumps(fields))


def test_numbers_beside_the_weights_count_where_the_bag_asks_for_them(path):
    write(path)
    asking = TrackerParams(use_checkpoint_parameters=True)
    assert constants(asking, path).presence == tuple(NUMBERS)
    assert constants(asking, path).lr == 0.5
    assert constants(TrackerParams(), path).presence == ()
    assert (
        constants(TrackerParams(use_checkpoint_parameters=True, presence=()), path).presence == ()
    )


def test_numbers_of_other_weights_do_not_count(path):
    write(path, "0" * 64)
    assert constants(TrackerParams(use_checkpoint_parameters=True), path).presence == ()


def test_damaged_numbers_say_what_to_do(path):
    path.with_suffix(".score.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"w\.score\.json.*delete it"):
        constants(TrackerParams(use_checkpoint_parameters=True), path)


def test_the_shipped_weights_have_theirs_and_the_published_loop_keeps_raw_scores():
    path = weights.PACKAGE_WEIGHTS / "et_tracker.safetensors"
    ours = plugins.parameters("et_tracker", "et_tracker")
    assert len(constants(ours, path).presence) == PRESENCE_NUMBERS
    assert ours.object_presence_score_threshold == 0.5
    assert constants(plugins.parameters("et_tracker", "et_tracker_published"), path).presence == ()
