"""MobileNetV3-Large up to stride 16.

Paper: Howard et al., "Searching for MobileNetV3", ICCV 2019 (arXiv 1905.02244), table 1, rows up to
the last at stride 16 (112 channels), then a 1x1 convolution to 96 channels. Parameter names follow
torchvision's `features`, so that its ImageNet weights fit.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from . import FEATURE_CHANNELS
from .lt_mobile import round_channels

STEM_CHANNELS = 16
# Table 1: kernel, expanded width, output width, squeeze-excite, hard-swish, stride.
BLOCKS = (
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
        layers: list[nn.Module] = [_convolution(3, STEM_CHANNELS, 3, 2, 1, nn.Hardswish())]
        inputs = STEM_CHANNELS
        for kernel, width, outputs, gate, swish, stride in BLOCKS:
            layers.append(Bottleneck(inputs, kernel, width, outputs, gate, swish, stride))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.adapt = nn.Conv2d(inputs, FEATURE_CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        return self.adapt(self.features(x))


def backbone() -> MobileNetV3:
    """Build MobileNetV3-Large."""
    return MobileNetV3()
