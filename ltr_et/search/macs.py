"""Multiply-adds of an architecture by formula: thousands a second, where counting takes a forward.

Convolutions and products only, as `ltr_et.ablation.costs.count` counts them (a test compares).
"""

from __future__ import annotations

from pytracking_et.network.architecture import Architecture, TowerChoice
from pytracking_et.network.backbones.lt_mobile import (
    STAGE_CHANNELS,
    STAGE_STRIDES,
    STEM_CHANNELS,
    round_channels,
)
from pytracking_et.network.constants import STRIDE, TEMPLATE_CELLS
from pytracking_et.network.trackers import FUSED_CHANNELS


def macs(architecture: str, search: int = 256) -> int:
    """Multiply-adds of one search crop of `search` px (a multiple of 32)."""
    parsed = Architecture.parse(architecture)
    side = search // 2
    total = 27 * STEM_CHANNELS * side**2
    total += (9 + STEM_CHANNELS) * STEM_CHANNELS * side**2 + _gate(STEM_CHANNELS)
    inputs = STEM_CHANNELS
    for stage, outputs, stride in zip(parsed.stages, STAGE_CHANNELS, STAGE_STRIDES, strict=False):
        for place, block in enumerate(stage):
            width = round_channels(inputs * block.expansion)
            total += inputs * width * side**2
            side //= stride if place == 0 else 1
            total += (block.kernel**2 + outputs) * width * side**2 + _gate(width)
            inputs = outputs
    cells = (search // STRIDE) ** 2
    kernels = TEMPLATE_CELLS**2
    total += kernels * inputs * cells + 2 * kernels**2 + kernels * FUSED_CHANNELS * cells
    return total + _tower(parsed.cls, cells, 1) + _tower(parsed.reg, cells, 4)


def _gate(width: int) -> int:
    return 2 * width * round_channels(width / 4)


def _tower(tower: TowerChoice, cells: int, outputs: int) -> int:
    total, inputs = 0, FUSED_CHANNELS
    for kernel in tower.kernels:
        total += (kernel**2 + tower.width) * inputs * cells
        inputs = tower.width
    return total + 9 * tower.width * outputs * cells
