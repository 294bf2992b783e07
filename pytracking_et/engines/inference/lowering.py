"""Networks re-expressed for inference: same result, one image at a time, fewer, larger operations.

Folding, for any network: BatchNorm in eval mode is a per-channel affine map and so is the division
of the image by its standard deviation; both disappear into the neighbouring convolution. Which
convolution feeds which BatchNorm is seen from one run of the network, not from names, so that a new
backbone needs nothing. (`torch.nn.utils.fusion` computes the scales in float32, here they are
rounded once: other bits, other boxes.)

Lowering, layer by layer. What differs from the modules of `network` (measured in docs/engines.md):

* Exemplar layer: BatchNorm scales live in the kernel bank, so that the mixture carries them; the
  mixed kernels and the squeeze-excite gate become one pointwise matrix; 1/(sqrt(256) T) lives in
  the keys; the feed-forward runs on tokens.
* Correlation: the channel attention needs only the mean of the correlation, which is the template
  times the mean of the search feature; gate, 1x1 layer and template kernels multiply to one matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...network.correlation import FeatureFusor, single
from ...network.layers.exemplar import QUERY_CHANNELS, TEMPERATURE, ExemplarLayer
from ...network.normalisation import affine


class LoweredExemplar(nn.Module):
    """`ExemplarLayer` with one query for one image: (1, C, H, W) -> (1, C, H, W)."""

    def __init__(self, layer: ExemplarLayer) -> None:
        super().__init__()
        channels, exemplars = layer.channels, layer.K.shape[0]
        self.channels, self.kernel = channels, layer.kernel
        self.conditioned, self.feed_forward = layer.template_conditioning, layer.feed_forward
        scale, self.dw_shift = _constants(*affine(layer.dw_bn))
        self.query = _constant(layer.average_pooler.fc1.weight.t())
        self.query_bias = _constant(layer.average_pooler.fc1.bias)
        self.keys = _constant(layer.K.t() / (math.sqrt(QUERY_CHANNELS) * TEMPERATURE))
        bank = layer.V_dw.view(exemplars, channels, -1) * scale.view(1, -1, 1)
        self.depthwise = _constant(bank.flatten(1))
        scale, self.pw_shift = _constants(*affine(layer.pw_bn))
        bank = layer.V_pw.view(exemplars, channels, channels) * scale.view(1, -1, 1)
        # Stored input x output: tokens are rows and multiply from the left.
        self.pointwise = _constant(bank.transpose(1, 2).flatten(1))
        self.reduce = _constant(layer.se.conv_reduce.weight.flatten(1).t())
        self.reduce_bias = _constant(layer.se.conv_reduce.bias)
        self.expand = _constant(layer.se.conv_expand.weight.flatten(1).t())
        self.expand_bias = _constant(layer.se.conv_expand.bias)
        if layer.feed_forward:
            self.norm1, self.norm2 = layer.norm1, layer.norm2
            self.transform = Transform(layer)

    def attention(self, x: Tensor, template: Tensor | None) -> Tensor:
        """Weights of the exemplars, (1, E)."""
        pooled = x.mean((2, 3))
        if self.conditioned:
            assert template is not None
            pooled = torch.cat([pooled, template.mean((2, 3))], 1)
        return torch.softmax(F.relu(pooled @ self.query + self.query_bias) @ self.keys, 1)

    def forward(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """Same values as `ExemplarLayer.forward` up to rounding."""
        channels, kernel = self.channels, self.kernel
        height, width = (int(side) for side in x.shape[2:])
        attention = self.attention(x, template)
        mixed = (attention @ self.depthwise).reshape(channels, 1, kernel, kernel)
        y = F.conv2d(x, mixed, self.dw_shift, padding=kernel // 2, groups=channels)
        y = F.relu(y)
        squeezed = F.relu(y.mean((2, 3)) @ self.reduce + self.reduce_bias)
        gate = torch.sigmoid(squeezed @ self.expand + self.expand_bias)
        matrix = (attention @ self.pointwise).reshape(channels, channels) * gate.reshape(-1, 1)
        tokens = F.relu(_tokens(y) @ matrix + self.pw_shift) + _tokens(x)
        if self.feed_forward:
            tokens = self.norm2(self.transform(self.norm1(tokens)))
        return tokens.reshape(1, height, width, channels).permute(0, 3, 1, 2)


class Transform(nn.Module):
    """Feed-forward with its residual: tokens (N, C) -> (N, C).

    Hidden units that the second product multiplies by zero are left out (976 of 1,024 in the
    shipped weights, see `ltr_et.warm_start.narrow`); the result is the same.
    """

    def __init__(self, layer: ExemplarLayer) -> None:
        super().__init__()
        used = layer.linear2.weight.ne(0).any(0)
        self.first, self.first_bias = _constants(
            layer.linear1.weight[used].t(), layer.linear1.bias[used]
        )
        self.second, self.second_bias = _constants(
            layer.linear2.weight[:, used].t(), layer.linear2.bias
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Two products of the units in use."""
        hidden = F.relu(tokens @ self.first + self.first_bias)
        return tokens + hidden @ self.second + self.second_bias


class LoweredFusor(nn.Module):
    """`FeatureFusor` for one image: zf (1, C, 8, 8), xf (1, C, S, S) -> (1, outputs, S, S)."""

    def __init__(self, fusor: FeatureFusor) -> None:
        super().__init__()
        correlation: Any = single(fusor.pw_corr).CA_layer
        adjust: Any = single(fusor.adj_layer)
        self.fc1, self.bias1 = _constants(correlation.fc1.weight.flatten(1), correlation.fc1.bias)
        self.fc2, self.bias2 = _constants(correlation.fc2.weight.flatten(1), correlation.fc2.bias)
        self.adjust, self.bias = _constants(adjust.weight.flatten(1), adjust.bias)

    def forward(self, zf: Tensor, xf: Tensor) -> Tensor:
        """Same values as `FeatureFusor.forward` up to rounding."""
        channels, height, width = (int(n) for n in xf.shape[1:])
        kernels = zf.reshape(channels, -1).t()
        mean = kernels @ xf.mean((2, 3)).t()
        gate = self.fc2 @ F.relu(self.fc1 @ mean + self.bias1.view(-1, 1)) + self.bias2.view(-1, 1)
        matrix = self.adjust @ (torch.sigmoid(gate) * kernels)
        fused = matrix @ xf.reshape(channels, height * width) + self.bias.view(-1, 1)
        return fused.reshape(1, -1, height, width)


def _tokens(x: Tensor) -> Tensor:
    """(1, C, H, W) -> (H W, C); written so that a channels-last map need not be moved."""
    channels, height, width = (int(n) for n in x.shape[1:])
    return x.permute(0, 2, 3, 1).reshape(height * width, channels)


def _constant(value: Tensor | None) -> nn.Parameter:
    assert value is not None
    return nn.Parameter(value.detach().clone(memory_format=torch.contiguous_format), False)


def _constants(*values: Tensor | None) -> tuple[nn.Parameter, ...]:
    return tuple(map(_constant, values))


def lower(network: nn.Module) -> nn.Module:
    """Replace, in place, the layers that have a form for inference; others stay as they are."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ExemplarLayer) and child.queries == 1:
                setattr(parent, name, LoweredExemplar(child))
            elif isinstance(child, FeatureFusor):
                setattr(parent, name, LoweredFusor(child))
    return network


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
