"""The Exemplar heads re-expressed for training on CPUs: same parameters, same result, less time.

What differs from the modules (measured in docs/training.md, one thread, float32):

* maps are tokens B x N x C, so that each feed-forward layer is two plain matrix products;
* BatchNorm with frozen statistics is folded into the kernel before it;
* the per-sample depthwise kernels run as one grouped convolution over B*C channels in
  channels-last layout, with a weight gradient put together from 3x3 pieces where the kernel is
  5x5 (oneDNN has a fast 3x3 kernel only);
* the squeeze-and-excitation gate is folded into the per-sample pointwise matrix (one bmm);
* the feed-forward layer is one autograd node that may leave out, in its backward pass, the
  positions with the smallest gradient (`keep` < 1): an approximation, see `FeedForward`;
* hidden units that `narrow` set to zero are left out.

Under autocast both directions compute in its dtype; see `_saved`.

Usable only while the BatchNorm layers are in eval mode; `exemplar_layer` refuses otherwise.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytracking_et.network.normalisation import affine
from pytracking_et.network.towers import SeparableConv

from .warm_start import active_units, is_published

_convolution_backward = torch.ops.aten.convolution_backward


def to_tokens(maps: Tensor) -> Tensor:
    """B x C x S x S -> B x S*S x C (contiguous)."""
    return maps.flatten(2).transpose(1, 2).contiguous()


def to_map(tokens: Tensor) -> Tensor:
    """B x S*S x C -> B x C x S x S, a view in channels-last layout."""
    batch, positions, channels = tokens.shape
    side = int(positions**0.5)
    return tokens.view(batch, side, side, channels).permute(0, 3, 1, 2)


def _saved(out: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Tensors for the backward pass, in the dtype that the output and so its gradient have.

    Autocast casts inside `forward` alone; the backward pass runs without it, and its products take
    no float32 beside bfloat16. Autograd casts the gradients back to their inputs' dtypes.
    """
    return [tensor.to(out.dtype) for tensor in tensors]


class FeedForward(torch.autograd.Function):
    """linear2(ReLU(linear1(x))) over M x C positions, with an optional sparse backward pass.

    With `keep` < 1 only the rows whose incoming gradient has the largest norm (that share of
    all rows) take part in the backward pass; the identity path outside is untouched. The loss
    gradient sits on few positions (target, distractors), so little of it is lost.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, keep: float
    ) -> Tensor:
        """Keep the hidden activations for the backward pass (M x 1024)."""
        hidden = torch.addmm(b1, x, w1.t()).relu_()
        out = torch.addmm(b2, hidden, w2.t())
        ctx.save_for_backward(*_saved(out, x, w1, w2, hidden))
        ctx.keep = keep
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return gradients for (x, w1, b1, w2, b2, keep)."""
        x, w1, w2, hidden = ctx.saved_tensors
        rows = None
        if ctx.keep < 1:
            count = max(1, int(ctx.keep * len(x)))
            rows = grad.square().sum(1).topk(count, sorted=False).indices.sort().values
            x, hidden, grad = x[rows], hidden[rows], grad[rows]
        grad_hidden = grad @ w2
        grad_w2 = grad.t() @ hidden
        grad_hidden = torch.ops.aten.threshold_backward(grad_hidden, hidden, 0)
        grad_w1 = grad_hidden.t() @ x
        grad_x = grad_hidden @ w1
        if rows is not None:
            full = grad_x.new_zeros(ctx.saved_tensors[0].shape)
            grad_x = full.index_copy_(0, rows, grad_x)
        return grad_x, grad_w1, grad_hidden.sum(0), grad_w2, grad.sum(0), None


class DepthwisePerSample(torch.autograd.Function):
    """Convolve channel c of sample b with its own kernel: tokens B x N x C, kernels B x C x k x k.

    One grouped convolution over B*C channels, channels-last.
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, kernels: Tensor) -> Tensor:
        """Return tokens B x N x C."""
        image = _samples_last(tokens)
        weight = kernels.reshape(-1, 1, *kernels.shape[2:])
        out = F.conv2d(image, weight, padding=weight.shape[-1] // 2, groups=len(weight))
        ctx.save_for_backward(*_saved(out, image, weight))
        return _samples_first(out, tokens.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradients for (tokens, kernels)."""
        image, weight = ctx.saved_tensors
        shape = grad.shape
        grad = _samples_last(grad)
        grad_image = _grouped_backward(grad, image, weight, weight.shape[-1] // 2, input=True)
        if weight.shape[-1] == 5:
            grad_weight = _weight_gradient_5x5(grad, image, weight)
        else:
            grad_weight = _grouped_backward(grad, image, weight, weight.shape[-1] // 2, input=False)
        kernels = grad_weight.view(shape[0], shape[2], *weight.shape[2:])
        return _samples_first(grad_image, shape), kernels


def shifted_depthwise(tokens: Tensor, kernels: Tensor) -> Tensor:
    """The same as `DepthwisePerSample` by shifts and products, which GPUs do faster."""
    batch, positions, channels = tokens.shape
    side, size = int(positions**0.5), kernels.shape[-1]
    image = tokens.view(batch, side, side, channels)
    padded = F.pad(image, (0, 0, *[size // 2] * 4))
    weight = kernels.flatten(2).transpose(1, 2)[:, :, None, None]
    out = torch.zeros_like(image)
    for i in range(size):
        for j in range(size):
            out = torch.addcmul(out, padded[:, i : i + side, j : j + side], weight[:, i * size + j])
    return out.view(tokens.shape)


def depthwise(tokens: Tensor, kernels: Tensor) -> Tensor:
    """Per-sample depthwise convolution in the form that the tokens' device does fastest."""
    if tokens.device.type == "cuda":
        return shifted_depthwise(tokens, kernels.to(tokens.dtype))
    return DepthwisePerSample.apply(tokens, kernels)


def _samples_last(tokens: Tensor) -> Tensor:
    """B x N x C -> 1 x B*C x S x S in channels-last layout."""
    batch, positions, channels = tokens.shape
    side = int(positions**0.5)
    image = tokens.transpose(0, 1).reshape(1, side, side, batch * channels)
    return image.permute(0, 3, 1, 2)


def _samples_first(image: Tensor, shape: torch.Size) -> Tensor:
    """Inverse of `_samples_last`: -> contiguous B x N x C."""
    batch, positions, channels = shape
    rows = image.permute(0, 2, 3, 1).reshape(positions, batch, channels)
    return rows.transpose(0, 1).contiguous()


def _grouped_backward(
    grad: Tensor, image: Tensor, weight: Tensor, padding: int, *, input: bool
) -> Tensor:
    """Gradient of a depthwise convolution for its input (True) or its weight (False)."""
    gradients = _convolution_backward(
        grad, image, weight, None, [1, 1], [padding] * 2, [1, 1], False, [0, 0], len(weight),
        [input, not input, False],
    )  # fmt: skip
    return gradients[0] if input else gradients[1]


def _weight_gradient_5x5(grad: Tensor, image: Tensor, weight: Tensor) -> Tensor:
    """Four overlapping 3x3 weight gradients on shifted inputs; 3 to 4 times faster than one 5x5."""
    height, width = image.shape[-2:]
    padded = F.pad(image, (2, 2, 2, 2))
    piece = weight[..., :3, :3].contiguous()
    result = torch.empty_like(weight)
    for i in (0, 2):
        for j in (0, 2):
            view = padded[..., i : i + height + 2, j : j + width + 2]
            view = view.contiguous(memory_format=torch.channels_last)
            result[..., i : i + 3, j : j + 3] = _grouped_backward(grad, view, piece, 0, input=False)
    return result


def folded(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """(scale, shift), each C, of a BatchNorm with frozen statistics.

    Raises:
        RuntimeError: the layer is in train mode, where its statistics depend on the batch.
    """
    if norm.training:
        raise RuntimeError(
            "fast_heads folds BatchNorm and needs it in eval mode; "
            "use the network's own forward to train with batch statistics"
        )
    return affine(norm, torch.float32)


def tower_layer(
    layer: Any, x: Tensor, template: Tensor, *, keep: float = 1.0, dropout: float = 0.0
) -> Tensor:
    """Any layer of a tower on tokens B x N x C -> B x N x D; those without a form here by their own
    forward.

    Args:
        template: feature of the template, for layers that look at it.
        keep: see `exemplar_layer`.
        dropout: see `exemplar_layer`.
    """
    if hasattr(layer, "V_dw") and is_published(layer):
        return exemplar_layer(layer, x, keep=keep, dropout=dropout)
    if isinstance(layer, SeparableConv):
        return separable(layer, x)
    return to_tokens(layer(to_map(x), template))


def exemplar_layer(layer: Any, x: Tensor, *, keep: float = 1.0, dropout: float = 0.0) -> Tensor:
    """One Exemplar Transformer layer (docs/method.md, section 5) on tokens B x N x C -> B x N x C.

    Args:
        layer: the network's module; its parameters are used as they are.
        keep: share of positions in the feed-forward layer's backward pass.
        dropout: probability after linear2.
    """
    batch, positions, channels = x.shape
    mix = layer.mixture(F.relu(layer.average_pooler.fc1(x.mean(1))))

    size = layer.kernel
    scale, shift = folded(layer.dw_bn)
    exemplars = layer.V_dw.view(-1, channels, size * size) * scale[:, None]
    kernels = (mix @ exemplars.flatten(1)).view(batch, channels, size, size)
    y = F.relu(depthwise(x, kernels) + shift)

    reduce, expand = layer.se.conv_reduce, layer.se.conv_expand
    gate = F.relu(F.linear(y.mean(1), reduce.weight.flatten(1), reduce.bias))
    gate = torch.sigmoid(F.linear(gate, expand.weight.flatten(1), expand.bias))

    scale, shift = folded(layer.pw_bn)
    exemplars = layer.V_pw.view(-1, channels, channels) * scale[:, None]
    pointwise = (mix @ exemplars.flatten(1)).view(batch, channels, channels) * gate[:, None]
    y = torch.baddbmm(shift, y, pointwise.transpose(1, 2))
    y = F.relu(y) + x

    y = F.layer_norm(y, (channels,), layer.norm1.weight, layer.norm1.bias, layer.norm1.eps)
    units = active_units(layer)
    z = FeedForward.apply(
        y.view(-1, channels), layer.linear1.weight[:units], layer.linear1.bias[:units],
        layer.linear2.weight[:, :units], layer.linear2.bias, keep,
    ).view(y.shape)  # fmt: skip
    if dropout:
        z = F.dropout(z, dropout)
    return F.layer_norm(y + z, (channels,), layer.norm2.weight, layer.norm2.bias, layer.norm2.eps)


def separable(block: Any, x: Tensor) -> Tensor:
    """A separable convolution (docs/method.md, section 4) on tokens B x N x C -> B x N x D."""
    weight = block.conv1.weight
    maps = F.conv2d(to_map(x), weight, padding=weight.shape[-1] // 2, groups=len(weight))
    tokens = maps.permute(0, 2, 3, 1).flatten(1, 2)
    scale, shift = folded(block.BN)
    return F.relu(F.linear(tokens, block.pointwise.weight.flatten(1) * scale[:, None], shift))
