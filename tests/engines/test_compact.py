"""Compact feed-forwards: fitted to crops, exact where affine, tied to their weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytracking_et.engines import compact
from pytracking_et.engines.calibration import Pairs
from pytracking_et.engines.exported import sample_crop
from pytracking_et.engines.graphs import graphs
from pytracking_et.errors import EngineError
from pytracking_et.network.layers.exemplar import ExemplarLayer


class Towers(torch.nn.Module):
    """What `compact.fit` needs of a network: two towers of one small Exemplar layer each."""

    def __init__(self):
        super().__init__()
        self.a, self.b = ExemplarLayer(16, 3), ExemplarLayer(16, 5)
        self.cls_tower, self.reg_tower = [self.a], [self.b]


@pytest.fixture
def towers(monkeypatch):
    torch.manual_seed(0)
    fused, zf = torch.randn(12, 16, 8, 8), torch.randn(12, 96, 8, 8)
    monkeypatch.setattr(compact, "_inputs", lambda network, pairs: (fused, zf))
    return Towers().eval(), fused


def relative_error(layer, fit, x):
    with torch.inference_mode():
        tokens = compact._tokens(layer, x, torch.zeros(len(x), 96, 8, 8))
        wanted = tokens + layer.linear2(torch.relu(layer.linear1(tokens)))
        return float((fit(tokens) - wanted).norm() / wanted.norm())


def test_more_units_are_closer(towers):
    network, fused = towers
    errors = [
        relative_error(network.a, compact.fit(network, None, units)["a"], fused)
        for units in (0, 64, 512)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[0] < 0.2


def test_an_affine_feed_forward_is_met_exactly(towers):
    network, fused = towers
    network.a.linear1.bias.data += 10  # every ReLU passes
    network.a.linear2.weight.data *= 0.1
    assert relative_error(network.a, compact.fit(network, None, 4)["a"], fused) < 2e-3


def test_shapes_and_file(towers, tmp_path):
    network, _ = towers
    fits = compact.fit(network, None, 8)
    assert set(fits) == {"a", "b"}
    assert [tuple(v.shape) for v in vars(fits["b"]).values()] == [
        (16, 16),
        (16, 8),
        (8,),
        (8, 16),
        (16,),
    ]
    crop = np.zeros((1, 4, 4, 3), np.uint8)
    path = tmp_path / "fits.safetensors"
    compact.save(path, fits, "d" * 64, Pairs(crop, crop))
    again = compact.load(path, "d" * 64)
    torch.testing.assert_close(again["a"].second, fits["a"].second)
    with pytest.raises(EngineError, match="fitted to other weights"):
        compact.load(path, "e" * 64)


def test_network_without_feed_forward_is_refused(towers):
    network, _ = towers
    network.a.feed_forward = network.b.feed_forward = False
    with pytest.raises(EngineError, match="feed-forward"):
        compact.fit(network, None)


@pytest.mark.slow
def test_lowered_et_tracker_equals_the_network():
    from pytracking_et.engines.export import plain_reference
    from pytracking_et.network import build
    from tests.golden import synthetic

    network = build("et_tracker").eval()
    state = network.state_dict()
    network.load_state_dict(
        {k: torch.from_numpy(synthetic.parameter(k, tuple(v.shape))) for k, v in state.items()}
    )
    reference = plain_reference(network, 127, 288)
    template, search = graphs(network)
    with torch.inference_mode():
        feature = template(torch.from_numpy(sample_crop(127, 1))[None])
        score, distances = search(feature, torch.from_numpy(sample_crop(288, 2))[None])
    np.testing.assert_allclose(score.numpy(), reference.score, atol=1e-5)
    np.testing.assert_allclose(distances.numpy(), reference.distances, atol=2e-3)
    remaining = [n for n, m in search.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert remaining == ["network.neck.BN_z.0", "network.neck.BN_x.0"]
