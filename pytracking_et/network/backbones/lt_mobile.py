"""LT-Mobile backbone: any subnet of the LightTrack search space.

Paper: Yan et al., "LightTrack: Finding Lightweight Neural Networks for Object Tracking via
One-Shot Architecture Search", CVPR 2021 (arXiv 2104.14545). Layout: docs/method.md, section 2.
Parameter names are those of the published checkpoint; only blocks up to the output are built.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..architecture import LT_MOBILE, Architecture

STEM_CHANNELS = 16
STAGE_CHANNELS = (24, 40, 80, 96, 192)
# Stage 4 keeps the resolution, so that its output has stride 16.
STAGE_STRIDES = (2, 2, 2, 1, 2)


def round_channels(value: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor`, at least `divisor`, never below 90 % of `value`."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
    """2-d convolution without bias, padded so that stride 1 keeps the size."""
    return nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )


class SqueezeExcite(nn.Module):
    """Gate each channel by a function of the channel means; (B, C, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = round_channels(channels / 4)
        self.conv_reduce = nn.Conv2d(channels, reduced, 1)
        self.conv_expand = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x times its gate in 0..1 (hard sigmoid: relu6(v + 3) / 6)."""
        gate = F.relu(self.conv_reduce(x.mean((2, 3), keepdim=True)))
        return x * (F.relu6(self.conv_expand(gate) + 3) / 6)


class SeparableBlock(nn.Module):
    """Depthwise-separable block of the stem: (B, C, H, W) -> the same shape."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv_dw = convolution(channels, channels, kernel, groups=channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcite(channels)
        self.conv_pw = convolution(channels, channels, 1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """No activation after bn2: the residual stays linear."""
        y = F.silu(self.bn1(self.conv_dw(x)))
        return x + self.bn2(self.conv_pw(self.se(y)))


class InvertedResidual(nn.Module):
    """MobileNet block: (B, inputs, H, W) -> (B, outputs, H/stride, W/stride)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, expansion: int, stride: int = 1
    ) -> None:
        super().__init__()
        width = round_channels(inputs * expansion)
        self.conv_pw = convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv_dw = convolution(width, width, kernel, stride, groups=width)
        self.bn2 = nn.BatchNorm2d(width)
        self.se = SqueezeExcite(width)
        self.conv_pwl = convolution(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Expand, filter, gate, project; plus the input where the shapes allow."""
        y = F.silu(self.bn1(self.conv_pw(x)))
        y = F.silu(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(self.se(y)))
        return x + y if self.residual else y


class LTMobile(nn.Module):
    """Stem and stages of an architecture: (B, 3, H, W) -> (B, channels, H/16, W/16).

    Input is RGB, divided by 255 and normalised with MEAN and STD. With the architecture of the
    paper (`ops_32`) the output has 96 channels.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.conv_stem = convolution(3, STEM_CHANNELS, 3, 2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        stages: list[nn.Module] = [nn.Sequential(SeparableBlock(STEM_CHANNELS))]
        inputs = STEM_CHANNELS
        for choices, outputs, stride in zip(
            architecture.stages, STAGE_CHANNELS, STAGE_STRIDES, strict=False
        ):
            blocks = []
            for index, choice in enumerate(choices):
                step = stride if index == 0 else 1
                blocks.append(
                    InvertedResidual(inputs, outputs, choice.kernel, choice.expansion, step)
                )
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.channels = inputs

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        return self.blocks(F.silu(self.bn1(self.conv_stem(x))))


def backbone(architecture: str = LT_MOBILE) -> LTMobile:
    """Build the backbone of an architecture string (default: the paper's LT-Mobile)."""
    return LTMobile(Architecture.parse(architecture))


def output_stride(module: nn.Module, size: int = 256) -> int:
    """Pixels per cell of a backbone's output, found by running it on an empty image."""
    with torch.no_grad():
        return size // module(torch.zeros(1, 3, size, size)).shape[-1]
