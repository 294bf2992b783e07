from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ltr_et.actors import ETActor
from ltr_et.average import EMA, average, main, reestimate
from pytracking_et import network
from pytracking_et.errors import ParameterError

from .networks import feature_pairs, randomised


def small(seed):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)).eval()
    for values in (net[1].running_mean, net[1].weight, net[1].bias):
        nn.init.uniform_(values, 0.5, 2)
    nn.init.uniform_(net[1].running_var, 0.5, 2)
    return net


def test_statistics_of_the_first_and_functions_of_all():
    first, x = small(0), torch.randn(2, 3, 8, 8)
    # The same function, written with other statistics.
    other = copy.deepcopy(first)
    slope = other[1].weight / torch.sqrt(other[1].running_var + other[1].eps)
    with torch.no_grad():
        other[1].bias -= slope * other[1].running_mean
        other[1].running_mean.zero_()
        other[1].running_var.fill_(1 - other[1].eps)
        other[1].weight.copy_(slope)
    torch.testing.assert_close(other(x), first(x), atol=1e-5, rtol=1e-5)
    mean = average([first, other], [1, 3])
    for name, value in first.state_dict().items():
        torch.testing.assert_close(mean[name], value, atol=1e-5, rtol=1e-5)


def test_shares_weigh():
    nets = [nn.Linear(2, 1), nn.Linear(2, 1)]
    for net, value in zip(nets, (1.0, 5.0), strict=True):
        nn.init.constant_(net.weight, value)
    assert average(nets, [3, 1])["weight"].tolist() == [[2.0, 2.0]]


@pytest.mark.parametrize(
    ("count", "shares", "words"),
    [
        (1, [1], "not 1"),
        (2, [1], r"shares \[1\] for 2"),
        (2, [1, 0], r"shares \[1, 0\]"),
        (2, [1, float("nan")], r"shares \[1, nan\]"),
    ],
)
def test_what_cannot_be_averaged(count, shares, words):
    with pytest.raises(ParameterError, match=words):
        average([nn.Linear(1, 1) for _ in range(count)], shares)


def test_files(tmp_path, capsys):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    states = [randomised("et_tracker", seed=seed).state_dict() for seed in (0, 1)]
    for path, state in zip(paths, states, strict=True):
        network.weights.save(path, state, {"network": "et_tracker", "samples": path.stem})
    output = tmp_path / "mean.safetensors"
    assert main([*map(str, paths), "--output", str(output)]) == 0
    state, texts = network.weights.read(output)
    assert texts["samples"] == "a"
    name = next(n for n in state if "pred" in n and state[n].ndim == 4)
    expected = (states[0][name] + states[1][name]) / 2
    torch.testing.assert_close(state[name].float(), expected, atol=2e-3, rtol=2e-3)
    # The same shapes, but other queries.
    network.weights.save(paths[1], states[1], {"network": "et_s2"})
    assert main([*map(str, paths), "--output", str(output)]) == 2
    assert "b.safetensors is of network 'et_s2'" in capsys.readouterr().err
    assert main([str(paths[0]), str(tmp_path / "gone.npz"), "--output", str(output)]) == 2
    assert "gone.npz" in capsys.readouterr().err


def test_average_follows_slowly_and_the_start_is_forgotten():
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    ema = EMA(module, 0.9)
    nn.init.ones_(module.weight)
    values = []
    for _ in range(60):
        ema.update(module)
        values.append(ema.state["weight"].item())
    # The first update keeps (1 + 1) / (10 + 1) of the old value.
    assert values[0] == pytest.approx(1 - 2 / 11)
    assert values == sorted(values)
    assert values[-1] > 0.99


def test_counters_are_copied_and_statistics_averaged():
    module = nn.BatchNorm1d(2)
    ema = EMA(module, 0.5)
    module(torch.randn(8, 2) + 5)
    ema.update(module)
    assert ema.state["num_batches_tracked"] == 1
    assert 0 < ema.state["running_mean"][0] < 1


def test_weights_come_back_even_after_an_error():
    module = nn.Linear(2, 2)
    ema = EMA(module)
    own = module.weight.detach().clone() + 1
    module.weight.data.copy_(own)
    with pytest.raises(KeyError), ema.applied_to(module):
        assert torch.equal(module.weight, ema.state["weight"])
        raise KeyError("x")
    assert torch.equal(module.weight, own)


def test_state_survives_a_round_trip():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    ema = EMA(first)
    for _ in range(3):
        first.weight.data.add_(1)
        ema.update(first)
    other = EMA(second)
    other.load_state_dict(ema.state_dict())
    assert other.updates == 3
    assert torch.equal(other.state["weight"], ema.state["weight"])


def test_function_stays_and_statistics_are_measured():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 2, 1)).eval()
    nn.init.uniform_(net[1].weight, 0.5, 2)
    batches = [torch.randn(4, 3, 9, 9) * 3 + 1 for _ in range(3)]
    before = net(batches[0])
    inputs = torch.cat([net[0](batch) for batch in batches]).transpose(0, 1).flatten(1)
    assert reestimate(net, net, batches) == 1
    torch.testing.assert_close(net(batches[0]), before, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net[1].running_mean, inputs.mean(1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        net[1].running_var, inputs.var(1, correction=0), rtol=1e-3, atol=1e-4
    )


def test_a_dead_channel_is_not_blown_up():
    net = nn.Sequential(nn.BatchNorm2d(1)).eval()
    reestimate(net, net, [torch.full((2, 1, 3, 3), 4.0)])
    out = net(torch.full((2, 1, 3, 3), 4.1))
    torch.testing.assert_close(out, torch.full((2, 1, 3, 3), 4.1), atol=1e-3, rtol=1e-3)


def test_whole_tracker():
    net, data = randomised("et_tracker"), feature_pairs(4)
    actor = ETActor(net, fast=False)
    before = actor.heads(data["z"], data["x"])
    count = reestimate(net, lambda b: actor.heads(b["z"], b["x"]), [data])
    # Two of the neck, two per Exemplar layer (4 + 6), one per separable convolution (2 + 2).
    assert count == 2 + 20 + 4
    after = actor.heads(data["z"], data["x"])
    torch.testing.assert_close(after.logits, before.logits, atol=1e-3, rtol=1e-3)
