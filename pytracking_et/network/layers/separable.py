"""Separable convolution block, the layer of LT-Mobile's towers (the paper's "Conv" row)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class SeparableConv(nn.Module):
    """Depthwise k x k, pointwise 1x1, BatchNorm, ReLU: (B, inputs, S, S) -> (B, outputs, S, S)."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False
        )
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.BN = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """`template` is ignored; all tower layers share one signature."""
        return F.relu(self.BN(self.pointwise(self.conv1(x))))


class SeparableLayer(SeparableConv):
    """The block at constant width, as a tower layer."""

    def __init__(self, channels: int, kernel: int, position: int = 0) -> None:
        super().__init__(channels, channels, kernel)
