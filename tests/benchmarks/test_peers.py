import numpy as np
import pytest

from pytracking_et.boxes import iou
from pytracking_et.errors import CheckpointError, ParameterError
from pytracking_et.tracker import plugins

pytest.importorskip("onnxruntime")
from benchmarks.peers.tracker.peers.siamese import Siamese, cut  # noqa: E402

from ..ltr_et.tiny import scene  # noqa: E402


@pytest.fixture(autouse=True)
def plugged(monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, "benchmarks.peers")


class Seeing(Siamese):
    """Sees the target `offset` crop pixels from the middle, as wide and high as the crop / 5."""

    window, penalty, rate, search = 0.4, 0.1, 1.0, 256

    def __init__(self, column):
        self.column = column

    def embed(self, image):
        return np.zeros(1)

    def region(self):
        return 5 * self.size

    def maps(self, patch):
        score = np.full((16, 16), 0.01)
        score[8, self.column] = 1.0
        return score, np.full((4, 16, 16), 25.6)


@pytest.mark.parametrize(("column", "shift"), [(8, 0), (10, 32 / 51.2 * 20), (6, -32 / 51.2 * 20)])
def test_loop_moves_by_frame_pixels(column, shift):
    image, box = scene([(60, 40, 20, 30)]), np.array([60.0, 40.0, 20.0, 30.0])
    tracker = Seeing(column)
    tracker.start(image, box)
    found, score = tracker.step(image)
    assert score == 1
    assert found == pytest.approx([60 + shift, 40, 20, 30], abs=0.01)


def test_cut_fills_beyond_the_frame_and_says_where_it_is():
    image = scene([(0, 0, 20, 30)])
    fill = np.array([1.0, 2.0, 3.0])
    patch, middle, scale = cut(image, np.array([0.0, 0.0]), np.array([40.0, 80.0]), 80, fill)
    assert patch.shape == (80, 80, 3)
    assert patch[0, 0].tolist() == [1, 2, 3]
    assert patch[60, 60].tolist() == [220, 40, 40]
    assert middle.tolist() == [0, 0]
    assert scale.tolist() == [2, 1]


@pytest.mark.parametrize("name", ["fear_xs", "nanotrack_v2", "nanotrack_v3"])
def test_peers_follow_a_box(name, shared, monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_PEERS", str(shared / "peers"))
    tracker = plugins.tracker_class("peers")(plugins.parameters("peers", name))
    tracker.initialize(scene([(60, 40, 24, 36)]), {"init_bbox": [60, 40, 24, 36]})
    for moved in range(2, 20, 2):
        truth = (60 + moved, 40 + moved / 2, 24, 36)
        out = tracker.track(scene([truth], seed=moved))
    assert float(iou(out["target_bbox"], truth)) > 0.6
    assert 0 < out["object_presence_score"] <= 1


def test_missing_files_and_names(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_PEERS", str(tmp_path))
    with pytest.raises(CheckpointError, match="PYTRACKING_ET_PEERS"):
        plugins.tracker_class("peers")(plugins.parameters("peers", "fear_xs"))
    params = plugins.parameters("peers", "fear_xs")
    params.model = "siamfc"
    with pytest.raises(ParameterError, match="siamfc"):
        plugins.tracker_class("peers")(params)
