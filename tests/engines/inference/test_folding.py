"""BatchNorm and image scale folded into convolutions, without a change of the result."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pytracking_et.engines.inference.lowering import fold_batch_norm, fold_input_scale


def norm(channels):
    layer = nn.BatchNorm2d(channels)
    nn.init.normal_(layer.running_mean)
    nn.init.uniform_(layer.running_var, 0.3, 3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer


class Twice(nn.Module):
    """One convolution before two norms: folding it into either would spoil the other."""

    def __init__(self):
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(3, 4, 3), norm(4), norm(4)

    def forward(self, x):
        return self.one(self.conv(x)) + self.two(self.conv(x + 1))


class Residual(nn.Module):
    """The norm's input is a sum, not a convolution's output."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), norm(3)

    def forward(self, x):
        return self.norm(self.conv(x) + x)


CASES = {
    "plain": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), norm(4), nn.ReLU()), 1),
    "bias, two": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), norm(6), nn.Conv2d(6, 6, 5, groups=6), norm(6)),
        2,
    ),
    "activation between": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), norm(4)), 0),
    "shared": (Twice, 0),
    "residual": (Residual, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_batch_norm(name):
    torch.manual_seed(0)
    make, folds = CASES[name]
    network, x = make().eval(), torch.randn(2, 3, 9, 9)
    with torch.no_grad():
        wanted = network(x)
        assert fold_batch_norm(network, lambda: network(x)) == folds
        torch.testing.assert_close(network(x), wanted, atol=1e-4, rtol=1e-4)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert (left == 0) is (folds > 0)


def test_input_scale_keeps_the_border():
    torch.manual_seed(0)
    network, scale = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), torch.tensor([0.5, 2.0, 3.0])
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        wanted = network(x * scale.view(1, 3, 1, 1))
        assert fold_input_scale(network, x, scale)
        torch.testing.assert_close(network(x), wanted)


def test_input_scale_is_left_where_no_convolution_is_first():
    network = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3))
    before = network[1].weight.clone()
    assert not fold_input_scale(network, torch.randn(1, 3, 6, 6), torch.ones(3))
    assert torch.equal(network[1].weight, before)
