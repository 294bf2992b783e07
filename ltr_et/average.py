"""Averages of weights, along a run (`EMA`) and of trained files, and BatchNorm's statistics.

    python -m ltr_et.average A.safetensors B.safetensors C.safetensors --shares 2 2 1 --output FILE

The second is made for runs that started from the same weights (model soups, arXiv 2203.05482).
BatchNorm statistics are the first file's; the others' affine parts are moved along before the
average, so that each layer keeps computing what it did. Metadata is the first file's.

LightTrack-Mobile's published weights come with BatchNorm folded into the affine part (running mean
0, variance 1), so a step on `weight` means something else in each channel, and train mode would
destroy the network. `reestimate` measures each layer's input and moves the affine part along:
weight (x - mean) / sqrt(var + eps) + bias stays the same function of x.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pytracking_et import network, process
from pytracking_et.errors import CheckpointError, ParameterError


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


# Smallest variance that is written, so that a dead channel is not blown up later.
LEAST_VARIANCE = 1e-4


@torch.no_grad()
def reestimate(net: nn.Module, run: Callable[[Any], Any], batches: Iterable[Any]) -> int:
    """Set the running statistics of every BatchNorm (SyncBatchNorm too) that `run` passes through.

    Args:
        net: changed in place; put into eval mode.
        run: passes one batch through the network's own modules (not through `fast_heads`).
        batches: a few hundred samples.

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
        mean, var = moments[layer].result()
        _replace(layer, mean, var.clamp_min(LEAST_VARIANCE))
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
            _replace(layer, model.running_mean.double().cpu(), model.running_var.double().cpu())


def _replace(layer: _BatchNorm, mean: Tensor, var: Tensor) -> None:
    assert layer.running_mean is not None and layer.running_var is not None
    old_mean, old_var = layer.running_mean.double().cpu(), layer.running_var.double().cpu()
    slope = layer.weight.double().cpu() * torch.rsqrt(old_var + layer.eps)
    layer.weight.copy_(slope * torch.sqrt(var + layer.eps))
    layer.bias.copy_(layer.bias.double().cpu() + slope * (mean - old_mean))
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(var)


class EMA:
    """Averages of all floating-point entries of a module's state dict.

    Args:
        module: the network under training; its current state is the first average.
        decay: share of the old average kept at each update. Early on the share is
            (1 + updates) / (10 + updates) if that is less, so that the start is soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.updates = 0
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the averages towards the module's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = [], []
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                averages.append(self.state[name])
                values.append(value)
            else:
                self.state[name].copy_(value)
        torch._foreach_lerp_(averages, values, 1 - decay)

    @contextmanager
    def applied_to(self, module: nn.Module) -> Iterator[None]:
        """Lend the averages to the module (for validation), then give its own weights back."""
        own = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(self.state)
        try:
            yield
        finally:
            module.load_state_dict(own)

    def state_dict(self) -> dict[str, Tensor | int]:
        """Averages and number of updates, for a checkpoint."""
        return {**self.state, "__updates__": self.updates}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Take over what `state_dict` returned."""
        state = dict(state)
        self.updates = int(state.pop("__updates__"))
        for name, value in self.state.items():
            value.copy_(state[name])


def average(nets: Sequence[nn.Module], shares: Sequence[float]) -> dict[str, Tensor]:
    """Weighted mean of networks of one configuration.

    Args:
        nets: in eval mode; all but the first get the first's BatchNorm statistics.
        shares: a positive weight for each; their sum need not be one.

    Raises:
        ParameterError: fewer than two networks, or shares that do not go with them.
    """
    if len(nets) < 2:
        raise ParameterError(f"an average takes two networks or more, not {len(nets)}")
    if len(shares) != len(nets) or not all(0 < share < math.inf for share in shares):
        raise ParameterError(
            f"shares {list(shares)} for {len(nets)} networks: give each a positive one"
        )
    for net in nets[1:]:
        take_statistics(net, nets[0])
    states = [net.state_dict() for net in nets]
    weights = torch.tensor(shares, dtype=torch.float64) / sum(shares)
    mean = {}
    for name, first in states[0].items():
        mean[name] = first
        if first.is_floating_point():
            values = torch.stack([state[name].double() for state in states])
            mean[name] = torch.tensordot(weights, values, 1).to(first.dtype)
    return mean


def average_files(paths: Sequence[Path], shares: Sequence[float], output: Path) -> None:
    """Average weight files of one configuration into a file of float16.

    Raises:
        CheckpointError: a file that is missing or is not of the first one's network.
        ParameterError: see `average`.
    """
    texts = network.weights.metadata(paths[0])
    name = texts.get("network", "et_tracker")
    nets = []
    for path in paths:
        net = network.build(name)
        # Shapes do not tell all of them apart.
        named = network.weights.load(net, path).get("network", name)
        if named != name:
            raise CheckpointError(f"{path} is of network {named!r}, {paths[0]} of {name!r}")
        nets.append(net.eval())
    network.weights.save(output, average(nets, shares), texts)


def main(arguments: list[str] | None = None) -> int:
    """Command line; 2 for what cannot be averaged."""
    parser = argparse.ArgumentParser(
        prog="python -m ltr_et.average", description=__doc__.split("\n")[0]
    )
    parser.add_argument("weights", nargs="+", type=Path, help="two weight files or more")
    parser.add_argument("--shares", nargs="+", type=float, help="one for each (default: alike)")
    parser.add_argument("--output", type=Path, required=True, help="weight file to write")
    options = parser.parse_args(arguments)

    def work() -> int:
        shares = options.shares or [1.0] * len(options.weights)
        average_files(options.weights, shares, options.output)
        print(f"wrote {options.output}")
        return 0

    return process.run("ltr_et.average", work)


if __name__ == "__main__":
    sys.exit(main())
