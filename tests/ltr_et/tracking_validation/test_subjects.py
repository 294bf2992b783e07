import sys

import numpy as np
import pytest

from ltr_et.tracking_validation import subjects
from ltr_et.tracking_validation.subjects import Weights
from pytracking_et import network
from pytracking_et.errors import ParameterError
from pytracking_et.tracker import plugins

from ..tiny import scene


def weights(path, **fields):
    return Weights("w", path, **{"parameter": "lt_mobile", "engine": "torch", **fields})


def test_weights_run_in_our_loop(checkpoint):
    make = weights(checkpoint, changes={"lr": 1.0}).open()
    image, box = scene([(60, 40, 24, 36)]), np.array([60.0, 40.0, 24.0, 36.0])
    first, second = make(), make()
    first.start(image, box)
    second.start(np.ascontiguousarray(image[:, ::-1]), box)
    found = [tracker.step(image) for tracker in (first, second)]
    assert all(value.shape == (4,) for value in found)
    assert not np.allclose(*found)


def test_key_tells_weights_constants_and_engine_apart(checkpoint, tmp_path):
    base = weights(checkpoint)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(checkpoint.read_bytes())
    assert weights(copy).key == base.key
    # A constant that is set to what it is anyway changes nothing.
    assert weights(checkpoint, changes={"search_size": 256}).key == base.key
    others = [
        weights(checkpoint, changes={"search_size": 224}), weights(checkpoint, engine="onnx"),
        weights(checkpoint, parameter="et_tracker"),
    ]  # fmt: skip
    assert len({base.key, *(one.key for one in others)}) == 3 + (
        others[2].constants() != base.constants()
    )


def test_network_is_recognised(checkpoint):
    record = weights(checkpoint, parameter="et_tracker").record()
    assert record["weights"] == checkpoint.name
    assert record["constants"]["template_size"] in (127, 128)
    assert weights(checkpoint)._network() == "lt_mobile"


def test_what_the_file_tells_of_its_network_counts(checkpoint, tmp_path):
    told = tmp_path / "told.safetensors"
    network.weights.save(told, network.weights.read(checkpoint)[0], {"network": "lt_mobile"})
    assert weights(told, configuration="et_s2")._network() == "lt_mobile"
    assert weights(checkpoint, configuration="et_s2")._network() == "et_s2"


@pytest.fixture
def plugged(monkeypatch, tmp_path):
    monkeypatch.setenv(plugins.VARIABLE, "tests.fakelab")
    monkeypatch.setenv(subjects.PEERS_VARIABLE, "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_peers_are_found_beside_other_plug_ins(plugged):
    found = subjects.peers(plugged, "torch", 1)
    assert [one.label for one in found] == ["FEAR-XS", "NanoTrack v2", "NanoTrack v3"]
    assert plugins.roots()[1:] == ["tests.fakelab", "benchmarks.peers"]
    assert len({one.key for one in found}) == 3


def test_folder_of_peers_that_is_not_there(plugged):
    with pytest.raises(ParameterError, match="is no folder"):
        subjects.peers(plugged / "nothing", "torch", 1)
