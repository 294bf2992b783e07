"""Neck and pixel-wise correlation: how the search feature sees the template.

Paper: LightTrack, section 4 (feature fusion), after Alpha-Refine's pixel-wise correlation. Every
position of the template is one 1x1 kernel, so that the correlation keeps where in the target a
match was found. See docs/method.md, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .constants import TEMPLATE_CELLS


def listed(module: nn.Module, wrap: bool) -> nn.Module:
    """Wrap in a list of one where the published checkpoint has a `.0` in the name."""
    return nn.ModuleList([module]) if wrap else module


def single(module: nn.Module) -> nn.Module:
    """What `listed` was given."""
    return module[0] if isinstance(module, nn.ModuleList) else module


class Neck(nn.Module):
    """BatchNorm of template and search features, each (B, C, H, W) -> the same shape."""

    def __init__(self, channels: int, wrap: bool) -> None:
        super().__init__()
        self.BN_z = listed(nn.BatchNorm2d(channels), wrap)
        self.BN_x = listed(nn.BatchNorm2d(channels), wrap)

    def template(self, z: Tensor) -> Tensor:
        """Normalise template features."""
        return single(self.BN_z)(z)

    def search(self, x: Tensor) -> Tensor:
        """Normalise search features."""
        return single(self.BN_x)(x)


class ChannelAttention(nn.Module):
    """Weigh the template positions: (B, 64, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels, 1)
        self.fc2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply by a gate computed from the channel means."""
        gate = self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


class PixelwiseCorrelation(nn.Module):
    """Correlate, then weigh: zf (B, C, 8, 8), xf (B, C, S, S) -> (B, 64, S, S)."""

    def __init__(self) -> None:
        super().__init__()
        self.CA_layer = ChannelAttention(TEMPLATE_CELLS**2)

    def forward(self, zf: Tensor, xf: Tensor) -> Tensor:
        """Inner product of every template position with every search position."""
        batch, channels, height, width = xf.shape
        kernels = zf.reshape(batch, channels, -1).transpose(1, 2)
        correlation = torch.bmm(kernels, xf.reshape(batch, channels, -1))
        return self.CA_layer(correlation.reshape(batch, -1, height, width))


class FeatureFusor(nn.Module):
    """Correlation and a 1x1 convolution: zf, xf -> (B, outputs, S, S), input of both towers."""

    def __init__(self, wrap: bool, outputs: int = 128) -> None:
        super().__init__()
        self.pw_corr = listed(PixelwiseCorrelation(), wrap)
        self.adj_layer = listed(nn.Conv2d(TEMPLATE_CELLS**2, outputs, 1), wrap)

    def forward(self, zf: Tensor, xf: Tensor) -> Tensor:
        """Fuse template (B, C, 8, 8) and search (B, C, S, S) features."""
        return single(self.adj_layer)(single(self.pw_corr)(zf, xf))
