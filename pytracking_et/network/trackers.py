"""Whole networks: `template(z) -> zf`, `track(zf, x) -> (cls, reg)`.

`ETNetwork` is E.T.Track (and every variant of its towers) under the parameter names of the
published checkpoint; `LightTrackNetwork` is LightTrack under its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .backbones import FEATURE_CHANNELS, build_backbone
from .backbones.lt_mobile import Architecture
from .correlation import FeatureFusor, Neck
from .layers import build_layer
from .towers import (
    ClassificationHead,
    RegressionHead,
    SeparableConv,
    SeparableHead,
    separable_tower,
)

FUSED_CHANNELS = 128
# Kernel sizes of the towers, first to last (docs/method.md, section 4).
CLS_WIDTH, CLS_KERNELS = 256, (5, 5, 3, 3, 3, 3)
REG_WIDTH, REG_KERNELS = 192, (3, 3, 3, 3, 3, 5, 5, 5)


class TrackingNetwork(nn.Module):
    """Backbone, neck and correlation that all trackers here share; heads differ.

    Images are RGB, divided by 255 and normalised with `network.MEAN` and `network.STD`.
    """

    backbone_net: nn.Module
    neck: Neck
    feature_fusor: FeatureFusor

    def template(self, z: Tensor) -> Tensor:
        """Template images (B, 3, 127 or 128, same) -> template feature zf (B, 96, 8, 8).

        As published, zf is the backbone's output; `track` normalises it.
        """
        return self.backbone_net(z)

    def search(self, x: Tensor) -> Tensor:
        """Search images (B, 3, H, H) -> normalised search feature (B, 96, H/16, H/16)."""
        return self.neck.search(self.backbone_net(x))

    def heads(self, fused: Tensor, zf: Tensor) -> tuple[Tensor, Tensor]:
        """Fused map (B, 128, S, S) and normalised zf (B, 96, 8, 8) -> logits and distances."""
        net: Any = self  # subclasses bring the towers
        cls = reg = fused
        for layer in net.cls_tower:
            cls = layer(cls, zf)
        for layer in net.reg_tower:
            reg = layer(reg, zf)
        return net.cls_pred_head(cls), net.reg_pred_head(reg)

    def track(self, zf: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Template feature and search images -> logits (B, 1, S, S), distances (B, 4, S, S).

        S is 16 for a search image of 256 pixels and 18 for 288. Distances run from the cell's
        point to the box's left, top, right, bottom, in pixels of the search image.
        """
        zf = self.neck.template(zf)
        return self.heads(self.feature_fusor(zf, self.search(x)), zf)

    def forward(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Template and search images in, logits and distances out (training)."""
        return self.track(self.template(z), x)


class ETNetwork(TrackingNetwork):
    """E.T.Track and its ablations.

    Args:
        backbone: name in `backbones.BACKBONES`, with `backbone_options`.
        layer: name in `layers.LAYERS` of the layers between the first and last separable
            convolution of each tower, with `layer_options`.
    """

    def __init__(
        self,
        backbone: str = "lt_mobile",
        layer: str = "exemplar",
        backbone_options: Mapping[str, Any] | None = None,
        layer_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.backbone_net = build_backbone(backbone, **(backbone_options or {}))
        self.neck = Neck(FEATURE_CHANNELS, wrap=True)
        self.feature_fusor = FeatureFusor(wrap=True, outputs=FUSED_CHANNELS)
        self._add_tower("cls_branch", CLS_WIDTH, CLS_KERNELS, layer, layer_options or {})
        self._add_tower("bbreg_branch", REG_WIDTH, REG_KERNELS, layer, layer_options or {})
        self.cls_pred_head = ClassificationHead(CLS_WIDTH)
        self.reg_pred_head = RegressionHead(REG_WIDTH)

    def _add_tower(
        self,
        prefix: str,
        width: int,
        kernels: tuple[int, ...],
        layer: str,
        options: Mapping[str, Any],
    ) -> None:
        last = len(kernels)
        for index, kernel in enumerate(kernels, 1):
            block: nn.Module
            if index == 1:
                block = SeparableConv(FUSED_CHANNELS, width, kernel)
            elif index == last:
                block = SeparableConv(width, width, kernel)
            else:
                block = build_layer(layer, width, kernel, index - 2, **options)
            self.add_module(f"{prefix}_{index}", block)

    @property
    def cls_tower(self) -> list[nn.Module]:
        """Layers of the classification tower, in order."""
        return [getattr(self, f"cls_branch_{i}") for i in range(1, len(CLS_KERNELS) + 1)]

    @property
    def reg_tower(self) -> list[nn.Module]:
        """Layers of the box regression tower, in order."""
        return [getattr(self, f"bbreg_branch_{i}") for i in range(1, len(REG_KERNELS) + 1)]


class LightTrackNetwork(TrackingNetwork):
    """LightTrack of an architecture string, for example LT-Mobile (the paper's baseline)."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        parsed = Architecture.parse(architecture)
        self.backbone_net = build_backbone("lt_mobile", architecture=architecture)
        channels = self.backbone_net.channels
        self.neck = Neck(channels, wrap=False)  # type: ignore[arg-type]
        self.feature_fusor = FeatureFusor(wrap=False, outputs=FUSED_CHANNELS)
        self.head = SeparableHead(
            separable_tower(FUSED_CHANNELS, parsed.cls.width, parsed.cls.kernels),
            separable_tower(FUSED_CHANNELS, parsed.reg.width, parsed.reg.kernels),
        )

    # Under the names of `ETNetwork`, so that training sees one kind of network.
    @property
    def cls_tower(self) -> list[nn.Module]:
        """Layers of the classification tower, in order."""
        return list(self.head.cls_tower)

    @property
    def reg_tower(self) -> list[nn.Module]:
        """Layers of the box regression tower, in order."""
        return list(self.head.reg_tower)

    @property
    def cls_pred_head(self) -> ClassificationHead:
        """Prediction of the score."""
        return self.head.cls_pred_head

    @property
    def reg_pred_head(self) -> RegressionHead:
        """Prediction of the distances."""
        return self.head.reg_pred_head
