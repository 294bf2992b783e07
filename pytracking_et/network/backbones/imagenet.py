"""Backbones of image classification up to stride 16, then a 1x1 convolution to 96 channels.

Parameter names follow torchvision's, so that its ImageNet weights fit.

* ResNet-18: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv
  1512.03385), table 1: stem and stages conv2 to conv4 (256 channels).
* MobileNetV3-Large: Howard et al., "Searching for MobileNetV3", ICCV 2019 (arXiv 1905.02244),
  table 1, rows up to the last at stride 16 (112 channels); names as in torchvision's `features`.
* ShuffleNetV2 1.0x: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture
  Design", ECCV 2018 (arXiv 1807.11164), figure 3 (c, d) and table 5: stem, stages 2 and 3 (232
  channels).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .lt_mobile import FEATURE_CHANNELS, round_channels

MOBILENET_STEM = 16
# Table 1: kernel, expanded width, output width, squeeze-excite, hard-swish, stride.
MOBILENET_BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
)
# BatchNorm of the paper's TensorFlow training, as torchvision keeps it.
EPSILON, MOMENTUM = 1e-3, 0.01
SHUFFLENET_STEM = 24
# (name, repeats, channels) of table 5, column 1x.
SHUFFLENET_STAGES = (("stage2", 4, 116), ("stage3", 8, 232))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (B, I, H, W) -> (B, O, H/stride, W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Residual sum, ReLU."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """(B, 3, H, W) -> (B, 96, H/16, W/16)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self._stage(64, 64, 1)
        self.layer2 = self._stage(64, 128, 2)
        self.layer3 = self._stage(128, 256, 2)
        self.adapt = nn.Conv2d(256, FEATURE_CHANNELS, 1)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        return self.adapt(self.layer3(self.layer2(self.layer1(x))))


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int, activation: nn.Module | None
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM),
    ]
    return nn.Sequential(*layers, *([activation] if activation is not None else []))


class SqueezeExcite(nn.Module):
    """Hard-sigmoid gate from the channel means; reduced by four."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = round_channels(channels / 4)
        self.fc1 = nn.Conv2d(channels, reduced, 1)
        self.fc2 = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x times its gate."""
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Bottleneck(nn.Module):
    """Inverted residual: (B, I, H, W) -> (B, O, H/stride, W/stride)."""

    def __init__(
        self,
        inputs: int,
        kernel: int,
        width: int,
        outputs: int,
        gate: bool,
        swish: bool,
        stride: int,
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = []
        if width != inputs:
            layers.append(_convolution(inputs, width, 1, 1, 1, activation()))
        layers.append(_convolution(width, width, kernel, stride, width, activation()))
        if gate:
            layers.append(SqueezeExcite(width))
        layers.append(_convolution(width, outputs, 1, 1, 1, None))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Expand, filter, gate, project; plus the input where the shapes allow."""
        y = self.block(x)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """(B, 3, H, W) -> (B, 96, H/16, W/16)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, MOBILENET_STEM, 3, 2, 1, nn.Hardswish())]
        inputs = MOBILENET_STEM
        for kernel, width, outputs, gate, swish, stride in MOBILENET_BLOCKS:
            layers.append(Bottleneck(inputs, kernel, width, outputs, gate, swish, stride))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.adapt = nn.Conv2d(inputs, FEATURE_CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        return self.adapt(self.features(x))


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
            nn.Conv2d(3, SHUFFLENET_STEM, 3, 2, 1, bias=False),
            nn.BatchNorm2d(SHUFFLENET_STEM),
            nn.ReLU(),
        )
        inputs = SHUFFLENET_STEM
        for name, repeats, outputs in SHUFFLENET_STAGES:
            rest = [Unit(outputs, outputs, 1) for _ in range(repeats - 1)]
            self.add_module(name, nn.Sequential(Unit(inputs, outputs, 2), *rest))
            inputs = outputs
        self.adapt = nn.Conv2d(inputs, FEATURE_CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        x = F.max_pool2d(self.conv1(x), 3, 2, padding=1)
        for name, _, _ in SHUFFLENET_STAGES:
            x = getattr(self, name)(x)
        return self.adapt(x)
