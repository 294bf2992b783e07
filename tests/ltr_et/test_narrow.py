import copy

import pytest
import torch

from ltr_et import fast_heads
from ltr_et.warm_start import active_units, narrow
from pytracking_et.errors import ParameterError

from .networks import feature_pairs, randomised

LAYER = "cls_branch_3"


@pytest.fixture(scope="module")
def pairs():
    return feature_pairs(16, seed=5)


@pytest.fixture(scope="module")
def made(pairs):
    """(full network, the same with 64 units, its errors)."""
    full = randomised("et_tracker")
    small = copy.deepcopy(full)
    return full, small, narrow(small, pairs["z"], pairs["x"], 64)


def heads(net, pairs):
    with torch.no_grad():
        zf = net.neck.template(pairs["z"])
        maps = net.feature_fusor(zf, net.neck.search(pairs["x"]))
        ends = []
        for tower in (net.cls_tower, net.reg_tower):
            x = maps
            for layer in tower:
                x = layer(x, zf)
            ends.append(x)
    return ends


def layers(net):
    return {name: m for name, m in net.named_modules() if hasattr(m, "V_dw")}


def test_shapes_stay_and_the_rest_is_zero(made):
    full, small, _ = made
    assert {n: v.shape for n, v in small.state_dict().items()} == {
        n: v.shape for n, v in full.state_dict().items()
    }
    for layer in layers(small).values():
        assert active_units(layer) == 64
        for tensor in (layer.linear1.weight, layer.linear1.bias, layer.linear2.weight.t()):
            assert not tensor[64:].any() and tensor[:64].abs().sum(-1).all()


def test_outputs_stay_near(made, pairs):
    """And much nearer than with the other units simply cut off."""
    full, small, errors = made
    assert set(errors) >= set(layers(full))
    cut = copy.deepcopy(full)
    for layer in layers(cut).values():
        layer.linear2.weight.data[:, 64:] = 0
    ends = ("cls_branch_6", "bbreg_branch_8")
    results = (heads(net, pairs) for net in (small, cut, full))
    for ours, blunt, theirs, end in zip(*results, ends, strict=True):
        error = float((ours - theirs).norm() / theirs.norm())
        assert error == pytest.approx(errors[end], rel=1e-3)
        assert error < 0.5 * float((blunt - theirs).norm() / theirs.norm())


def test_units_that_matter_are_all_it_takes(made, pairs):
    """A feed-forward that has few units to begin with is met exactly."""
    _, small, _ = made
    again = copy.deepcopy(small)
    errors = narrow(again, pairs["z"], pairs["x"], 64)
    assert max(errors.values()) < 2e-3


def test_zero_units_stay_zero_in_training(made):
    net = copy.deepcopy(made[1])
    layer = layers(net)[LAYER]
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-2, weight_decay=0.1)
    before = layer.linear1.weight[:64].clone()
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.randn(2, layer.channels, 8, 8)).square().mean().backward()
        optimizer.step()
    assert active_units(layer) == 64
    assert not layer.linear1.weight[64:].any()
    assert not torch.equal(before, layer.linear1.weight[:64])


@pytest.mark.parametrize("which", ["full", "narrow"])
def test_fast_heads_leave_them_out_with_the_same_result_and_gradients(made, which):
    net = copy.deepcopy(made[which == "narrow"])
    layer = layers(net)[LAYER]
    x = torch.randn(2, layer.channels, 8, 8)
    gradients = []
    for run in (layer, lambda maps: fast_heads.exemplar_layer(layer, fast_heads.to_tokens(maps))):
        layer.zero_grad()
        y = run(x)
        y = y if y.dim() == 3 else fast_heads.to_tokens(y)
        y.square().mean().backward()
        gradients.append([y.detach(), *(p.grad.clone() for p in layer.parameters())])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("units", [0, 1025])
def test_impossible_numbers(pairs, units):
    with pytest.raises(ParameterError, match=f"units={units}"):
        narrow(randomised("et_tracker"), pairs["z"], pairs["x"], units)
