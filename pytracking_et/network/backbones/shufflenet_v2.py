"""ShuffleNetV2 1.0x up to stride 16.

Paper: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV
2018 (arXiv 1807.11164), figure 3 (c, d) and table 5. Stem, stages 2 and 3 (232 channels at stride
16), then a 1x1 convolution to 96 channels. Parameter names follow torchvision's, so that its
ImageNet weights fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import FEATURE_CHANNELS

STEM_CHANNELS = 24
# (name, repeats, channels) of table 5, column 1x.
STAGES = (("stage2", 4, 116), ("stage3", 8, 232))


def shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels."""
    batch, channels, height, width = x.shape
    return x.reshape(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(x.shape)


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    return [convolution, nn.BatchNorm2d(channels)]


def _pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


class Unit(nn.Module):
    """One unit: (B, I, H, W) -> (B, O, H/stride, W/stride); half of the channels bypass it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        half = outputs // 2
        self.branch1 = nn.Sequential(
            *([*_depthwise(inputs, stride), *_pointwise(inputs, half)] if stride > 1 else [])
        )
        self.branch2 = nn.Sequential(
            *_pointwise(inputs if stride > 1 else half, half),
            *_depthwise(half, stride),
            *_pointwise(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Split (or copy, when striding), transform, join, shuffle."""
        if self.stride > 1:
            return shuffle(torch.cat([self.branch1(x), self.branch2(x)], 1))
        kept, changed = x.chunk(2, 1)
        return shuffle(torch.cat([kept, self.branch2(changed)], 1))


class ShuffleNetV2(nn.Module):
    """(B, 3, H, W) -> (B, 96, H/16, W/16)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, STEM_CHANNELS, 3, 2, 1, bias=False),
            nn.BatchNorm2d(STEM_CHANNELS),
            nn.ReLU(),
        )
        inputs = STEM_CHANNELS
        for name, repeats, outputs in STAGES:
            rest = [Unit(outputs, outputs, 1) for _ in range(repeats - 1)]
            self.add_module(name, nn.Sequential(Unit(inputs, outputs, 2), *rest))
            inputs = outputs
        self.adapt = nn.Conv2d(inputs, FEATURE_CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        x = F.max_pool2d(self.conv1(x), 3, 2, padding=1)
        for name, _, _ in STAGES:
            x = getattr(self, name)(x)
        return self.adapt(x)


def backbone() -> ShuffleNetV2:
    """Build ShuffleNetV2 1.0x."""
    return ShuffleNetV2()
