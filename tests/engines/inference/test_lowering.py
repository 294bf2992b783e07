"""Lowered layers equal the modules, and leave out the hidden units that do nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pytracking_et.engines.inference import graphs
from pytracking_et.engines.inference.lowering import LoweredExemplar, LoweredFusor, lower
from pytracking_et.engines.inference.tracing import plain_reference, write_graph
from pytracking_et.engines.package import sample_crop
from pytracking_et.network import build
from pytracking_et.network.correlation import FeatureFusor
from pytracking_et.network.layers.exemplar import ExemplarLayer

SIDE = 16
# Not 128, which is also the width of other layers.
KEPT = 100


def layer_of(channels=64, kernel=3, **options):
    """An Exemplar layer whose normalisations do something."""
    torch.manual_seed(0)
    layer = ExemplarLayer(channels, kernel, **options).eval()
    for norm in (layer.dw_bn, layer.pw_bn):
        torch.nn.init.normal_(norm.running_mean, std=0.2)
        torch.nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return layer


@torch.no_grad()
def silence(layer, kept=KEPT):
    """Leave a feed-forward `kept` units; not at the front, so that the choice is tested too."""
    layer.linear2.weight[:, :-kept] = 0


def multiply_adds(module, *inputs):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (3, {}),
        (5, {}),
        (3, {"exemplars": 1}),
        (3, {"feed_forward": False}),
        (5, {"template_conditioning": True}),
    ],
)
@pytest.mark.parametrize("narrow", [False, True])
def test_exemplar_layer(kernel, options, narrow):
    layer = layer_of(kernel=kernel, **options)
    if narrow and layer.feed_forward:
        silence(layer)
    x, template = torch.randn(1, 64, SIDE, SIDE), torch.randn(1, 96, 8, 8)
    with torch.inference_mode():
        wanted, got = layer(x, template), LoweredExemplar(layer)(x, template)
    torch.testing.assert_close(got, wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("kept", [1, KEPT, 1024])
def test_units_that_do_nothing_cost_nothing(kept):
    layer = layer_of()
    x, hidden = torch.randn(1, 64, SIDE, SIDE), layer.linear1.out_features
    full = multiply_adds(LoweredExemplar(layer), x)
    if kept < hidden:
        silence(layer, kept)
    lowered = LoweredExemplar(layer)
    assert lowered.transform.first.shape == (64, kept)
    assert lowered.transform.second.shape == (kept, 64)
    assert full - multiply_adds(lowered, x) == 2 * SIDE**2 * 64 * (hidden - kept)


def test_correlation():
    torch.manual_seed(0)
    fusor = FeatureFusor(wrap=True).eval()
    zf, xf = torch.randn(1, 96, 8, 8), torch.randn(1, 96, SIDE, SIDE)
    with torch.inference_mode():
        wanted, got = fusor(zf, xf), LoweredFusor(fusor)(zf, xf)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


def test_layers_with_several_queries_stay_as_they_are():
    network = torch.nn.Sequential(layer_of(), layer_of(queries=2))
    lower(network)
    assert [type(child) for child in network] == [LoweredExemplar, ExemplarLayer]


@pytest.fixture(scope="module", params=[False, True], ids=["all units", "few units"])
def tracker(request):
    """E.T.Track with weights of which every layer matters."""
    from tests.golden import synthetic

    network = build("et_tracker").eval()
    state = network.state_dict()
    network.load_state_dict(
        {k: torch.from_numpy(synthetic.parameter(k, tuple(v.shape))) for k, v in state.items()}
    )
    if request.param:
        for module in network.modules():
            if isinstance(module, ExemplarLayer):
                silence(module)
    return network, KEPT if request.param else 1024


@pytest.mark.slow
def test_whole_network(tracker):
    network, _ = tracker
    reference = plain_reference(network, 127, 288)
    template, search = graphs(network)
    with torch.inference_mode():
        feature = template(torch.from_numpy(sample_crop(127, 1))[None])
        score, distances = search(feature, torch.from_numpy(sample_crop(288, 2))[None])
    np.testing.assert_allclose(score.numpy(), reference.score, atol=1e-5)
    np.testing.assert_allclose(distances.numpy(), reference.distances, atol=2e-3)
    remaining = [n for n, m in search.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert remaining == ["network.neck.BN_z.0", "network.neck.BN_x.0"]


@pytest.mark.slow
def test_exported_graph_has_only_the_units_in_use(tracker, tmp_path):
    onnx = pytest.importorskip("onnx")
    network, kept = tracker
    name = write_graph(graphs(network)[1], 256, tmp_path)
    shapes = [tuple(value.dims) for value in onnx.load(str(tmp_path / name)).graph.initializer]
    # Four layers of the classification tower, six of the regression tower.
    for channels, layers in ((256, 4), (192, 6)):
        assert shapes.count((channels, kept)) == layers
        assert shapes.count((kept, channels)) == layers
    assert (1024 in {side for shape in shapes for side in shape}) is (kept == 1024)
