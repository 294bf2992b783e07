"""Fold what is constant at inference into convolution kernels, for any network.

BatchNorm in eval mode is a per-channel affine map and so is the division of the image by its
standard deviation; both disappear into the neighbouring convolution. Which convolution feeds which
BatchNorm is seen from one run of the network, not from names, so that a new backbone needs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ...network.normalisation import affine


def scale_outputs(convolution: nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    """Let a convolution give scale * y + shift, each (C_out,), instead of y."""
    bias = shift if convolution.bias is None else convolution.bias * scale + shift
    convolution.weight = nn.Parameter(convolution.weight * scale.view(-1, 1, 1, 1), False)
    convolution.bias = nn.Parameter(bias, False)


def _pairs(network: nn.Module, run: Callable[[], Any]) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions whose output tensor itself was the input of a BatchNorm, once each."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    calls: dict[nn.Module, int] = {}

    def convolved(module: nn.Module, _: Any, output: Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        # The tensor is kept, so that its id is not given to another.
        made[id(output)] = (module, output)  # type: ignore[assignment]

    def normalised(module: nn.Module, inputs: tuple[Tensor, ...], _: Any) -> None:
        calls[module] = calls.get(module, 0) + 1
        if id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], module))  # type: ignore[arg-type]

    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                stack.callback(module.register_forward_hook(convolved).remove)
            elif isinstance(module, nn.BatchNorm2d):
                stack.callback(module.register_forward_hook(normalised).remove)
        run()
    return [(c, n) for c, n in pairs if calls[c] == 1 and calls[n] == 1]


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new)


@torch.no_grad()
def fold_batch_norm(network: nn.Module, run: Callable[[], Any]) -> int:
    """Fold every BatchNorm that follows a convolution directly; returns how many.

    Args:
        network: in eval mode; changed in place.
        run: calls the network once on any input, each part once.
    """
    pairs = _pairs(network, run)
    for convolution, norm in pairs:
        scale_outputs(convolution, *affine(norm))
        _replace(network, norm, nn.Identity())
    return len(pairs)


@torch.no_grad()
def fold_input_scale(network: nn.Module, image: Tensor, scale: Tensor) -> bool:
    """Fold the multiplication of the image by `scale` (3,) into the first convolution.

    Subtracting the mean stays outside: the zeros that a convolution pads with stand for the mean,
    and would stand for black if it were folded.

    Args:
        network: takes an image batch; changed in place where its first layer is a convolution.
        image: (1, 3, H, W), any values, to find that layer with.

    Returns:
        Whether it was folded; otherwise the caller has to multiply.
    """
    first: list[nn.Conv2d] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0] is image:
            first.append(module)  # type: ignore[arg-type]

    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                stack.callback(module.register_forward_pre_hook(look).remove)
        network(image)
    if len(first) != 1 or first[0].groups != 1:
        return False
    first[0].weight = nn.Parameter(first[0].weight * scale.view(1, -1, 1, 1), False)
    return True
