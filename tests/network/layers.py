"""Tower layers with made-up statistics, and tensors to run them on."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from pytracking_et.network.layers import build_layer
from pytracking_et.network.layers.attention import HEAD_CHANNELS

CHANNELS = 2 * HEAD_CHANNELS

VARIANTS = {
    "conv": ("conv", {}),
    "exemplar": ("exemplar", {}),
    "exemplar_e1": ("exemplar", {"exemplars": 1}),
    "exemplar_e16": ("exemplar", {"exemplars": 16}),
    "exemplar_s2": ("exemplar", {"queries": 2}),
    "exemplar_s4": ("exemplar", {"queries": 4}),
    "exemplar_attention": ("exemplar", {"feed_forward": False}),
    "exemplar_template": ("exemplar", {"template_conditioning": True}),
    "standard": ("standard", {}),
    "clustered": ("clustered", {}),
    "linear": ("linear", {}),
    "local": ("local", {}),
    "swin": ("swin", {}),
    "swin_shifted": ("swin", {"position": 1}),
    "standard_attention": ("standard", {"feed_forward": False}),
}


def build(variant: str, channels: int = CHANNELS, kernel: int = 3, seed: int = 0) -> nn.Module:
    """A layer with statistics, gains and biases that are no identity, in eval mode."""
    torch.manual_seed(seed)
    name, options = VARIANTS[variant]
    layer = build_layer(name, channels, kernel, **{"position": 0, **options})
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return layer.eval()


def maps(batch: int = 2, height: int = 8, width: int = 8, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, CHANNELS, height, width, generator=generator)


def template(batch: int = 2, seed: int = 2) -> torch.Tensor:
    return torch.randn(batch, 96, 8, 8, generator=torch.Generator().manual_seed(seed))


def assert_close(one: torch.Tensor, other: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def reference_transform(layer, y):
    out = torch.empty_like(y)
    for b in range(y.shape[0]):
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                t = layer.norm1(y[b, :, i, j])
                out[b, :, i, j] = layer.norm2(t + layer.linear2(F.relu(layer.linear1(t))))
    return out


def reference_norm(norm, y):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return torch.stack(
        [(y[c] - norm.running_mean[c]) * scale[c] + norm.bias[c] for c in range(len(y))]
    )
