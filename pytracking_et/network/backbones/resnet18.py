"""ResNet-18 up to stride 16.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385),
table 1. Stem and stages conv2 to conv4 (256 channels at stride 16), then a 1x1 convolution to 96
channels. Parameter names of the stages follow torchvision's, so that its ImageNet weights fit.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from . import FEATURE_CHANNELS


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


def backbone() -> ResNet18:
    """Build ResNet-18."""
    return ResNet18()
