"""Give BatchNorm layers real statistics without changing what the network computes.

LightTrack-Mobile's published weights come with BatchNorm folded into the affine part (running mean
0, variance 1), so a step on `weight` means something else in each channel, and train mode would
destroy the network. `reestimate` measures each layer's input and moves the affine part along:
weight (x - mean) / sqrt(var + eps) + bias stays the same function of x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Moments:
    """Sums of a layer's inputs per channel, in float64 for their differences' sake."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.sum = torch.zeros(channels, dtype=torch.float64)
        self.square = torch.zeros(channels, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        rows = x.detach().transpose(0, 1).flatten(1).double().cpu()
        self.count += rows.shape[1]
        self.sum += rows.sum(1)
        self.square += rows.square().sum(1)

    def result(self) -> tuple[Tensor, Tensor]:
        mean = self.sum / self.count
        return mean, (self.square / self.count - mean.square()).clamp_min(0)


@torch.no_grad()
def reestimate(
    net: nn.Module, run: Callable[[Any], Any], batches: Iterable[Any], least: float = 1e-4
) -> int:
    """Set the running statistics of every BatchNorm (SyncBatchNorm too) that `run` passes through.

    Args:
        net: changed in place; put into eval mode.
        run: passes one batch through the network's own modules (not through `fast_heads`).
        batches: a few hundred samples.
        least: smallest variance written, so that a dead channel is not blown up later.

    Returns:
        Number of layers whose statistics were set.
    """
    net.eval()
    layers = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    moments = {layer: _Moments(layer.num_features) for layer in layers}
    hooks = [
        layer.register_forward_pre_hook(lambda module, inputs: moments[module].add(inputs[0]))
        for layer in layers
    ]
    try:
        for batch in batches:
            run(batch)
    finally:
        for hook in hooks:
            hook.remove()
    measured = [layer for layer in layers if moments[layer].count]
    for layer in measured:
        _replace(layer, *moments[layer].result(), least)
    return len(measured)


@torch.no_grad()
def take_statistics(net: nn.Module, other: nn.Module) -> None:
    """Give every BatchNorm of `net` the running statistics that it has in `other`.

    Args:
        net: changed in place; computes what it did before.
        other: of the same configuration.
    """
    theirs = dict(other.named_modules())
    for name, layer in net.named_modules():
        if isinstance(layer, _BatchNorm):
            model = theirs[name]
            assert isinstance(model, _BatchNorm)
            assert model.running_mean is not None and model.running_var is not None
            _replace(layer, model.running_mean.double().cpu(), model.running_var.double().cpu(), 0)


def _replace(layer: _BatchNorm, mean: Tensor, var: Tensor, least: float) -> None:
    assert layer.running_mean is not None and layer.running_var is not None
    old_mean, old_var = layer.running_mean.double().cpu(), layer.running_var.double().cpu()
    slope = layer.weight.double().cpu() * torch.rsqrt(old_var + layer.eps)
    var = var.clamp_min(least)
    layer.weight.copy_(slope * torch.sqrt(var + layer.eps))
    layer.bias.copy_(layer.bias.double().cpu() + slope * (mean - old_mean))
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(var)
