from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ltr_et.average import average, main
from pytracking_et import network
from pytracking_et.errors import ParameterError

from .networks import randomised


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
