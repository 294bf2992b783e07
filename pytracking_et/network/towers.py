"""Head towers and predictions: fused map (B, 128, S, S) -> score logits and side distances.

See docs/method.md, section 4. A tower is a first separable convolution (128 -> width), layers of
the module under study, and a last separable convolution; E.T.Track puts Exemplar layers in the
middle and LT-Mobile separable convolutions everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F

from .constants import STRIDE

# Scale of the classification logits in the published head.
CLS_SCALE = 0.1


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


class ClassificationHead(nn.Module):
    """Tower output (B, C, S, S) -> logits (B, 1, S, S); their sigmoid is the score."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cls_pred = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled logits."""
        return CLS_SCALE * self.cls_pred(x)


class RegressionHead(nn.Module):
    """Tower output (B, C, S, S) -> distances to left, top, right, bottom in pixels (B, 4, S, S)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bbox_pred = nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Non-negative distances; a unit of the convolution is one stride."""
        return F.relu(self.bbox_pred(x)) * STRIDE


def separable_tower(inputs: int, width: int, kernels: Iterable[int]) -> nn.ModuleList:
    """A tower of separable convolutions only: (B, inputs, S, S) -> (B, width, S, S)."""
    layers = nn.ModuleList()
    for kernel in kernels:
        layers.append(SeparableConv(inputs, width, kernel))
        inputs = width
    return layers


class SeparableHead(nn.Module):
    """Holds LT-Mobile's two towers and predictions under the names of its checkpoint."""

    def __init__(self, cls: nn.ModuleList, reg: nn.ModuleList) -> None:
        super().__init__()
        self.cls_tower, self.reg_tower = cls, reg
        self.cls_pred_head = ClassificationHead(cls[-1].BN.num_features)  # type: ignore[union-attr, arg-type]
        self.reg_pred_head = RegressionHead(reg[-1].BN.num_features)  # type: ignore[union-attr, arg-type]
