"""Networks and pairs for tests, with statistics that make every term matter."""

from unittest import mock

import torch
from torch import nn

from pytracking_et import network
from pytracking_et.network import trackers
from pytracking_et.network.layers import attention


def with_statistics(net, mean=(-0.2, 0.2), var=(0.5, 2), weight=(0.5, 1.5), bias=(-0.2, 0.2)):
    """A network in eval mode whose BatchNorm layers are no identity: values within these bounds."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, *mean)
            nn.init.uniform_(module.running_var, *var)
            nn.init.uniform_(module.weight, *weight)
            nn.init.uniform_(module.bias, *bias)
    return net.eval()


def randomised(name, seed=0):
    torch.manual_seed(seed)
    return with_statistics(network.build(name))


def small_heads():
    """E.T.Track on cached features with narrow towers: steps take milliseconds."""
    few = {"CLS_WIDTH": 32, "REG_WIDTH": 32, "build_backbone": lambda *_, **__: nn.Identity()}
    wide = mock.patch.object(attention, "FEED_FORWARD_CHANNELS", 32)
    with wide, mock.patch.multiple(trackers, **few):
        return randomised("et_tracker")


def feature_pairs(count, size=8, seed=0):
    """A batch of cached features with boxes; maps of `size` cells."""
    generator = torch.Generator().manual_seed(seed)
    centre = size * 8 + 24 * (torch.rand(count, 2, generator=generator) - 0.5)
    extent = 30 + 40 * torch.rand(count, 2, generator=generator)
    return {
        "z": torch.randn(count, 96, 8, 8, generator=generator),
        "x": torch.randn(count, 96, size, size, generator=generator),
        "box": torch.cat([centre - extent / 2, extent], 1),
    }


class RandomPairs:
    """A pair source of random features, for the trainer: `pairs[epoch, item]`."""

    def __init__(self, size=8):
        self.size = size

    def __getitem__(self, key):
        epoch, item = key
        batch = feature_pairs(1, self.size, seed=1000 * epoch + item)
        return {name: value[0].numpy() for name, value in batch.items()} | {"broken": []}
