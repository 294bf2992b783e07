"""LT-Mobile backbone: any subnet of the LightTrack search space, and the strings that name them.

Paper: Yan et al., "LightTrack: Finding Lightweight Neural Networks for Object Tracking via
One-Shot Architecture Search", CVPR 2021 (arXiv 2104.14545). Layout and format of the strings:
docs/method.md, section 2, for example LT-Mobile, `LT_MOBILE`.
Parameter names are those of the published checkpoint; only blocks up to the output are built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import ParameterError

FEATURE_CHANNELS = 96
LT_MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"

BACKBONE_KERNELS = (3, 5, 7)
BACKBONE_EXPANSIONS = (4, 6)
STAGE_CHOICES = (2, 4, 4, 4, 4)
HEAD_WIDTHS = (128, 192, 256)
# None is a skipped layer.
HEAD_KERNELS: tuple[int | None, ...] = (3, 5, None)
HEAD_LAYERS = 8

_PATTERN = re.compile(r"back_0([0-5]{18})0\+cls_([0-2]{9})\+reg_([0-2]{9})_ops_([23])([0-3])")
STEM_CHANNELS = 16
STAGE_CHANNELS = (24, 40, 80, 96, 192)
# Stage 4 keeps the resolution, so that its output has stride 16.
STAGE_STRIDES = (2, 2, 2, 1, 2)


@dataclass(frozen=True)
class BlockChoice:
    """One inverted residual: depthwise kernel size and expansion of its input width."""

    kernel: int
    expansion: int


@dataclass(frozen=True)
class TowerChoice:
    """One head tower: width in channels and the kernel of every layer kept."""

    width: int
    kernels: tuple[int, ...]


@dataclass(frozen=True)
class Architecture:
    """A parsed architecture string.

    Attributes:
        stages: choices of stages 1.. up to and including the output block; what lies behind the
            output is never built.
        cls: the classification tower.
        reg: the box regression tower.
        text: the string itself.
    """

    stages: tuple[tuple[BlockChoice, ...], ...]
    cls: TowerChoice
    reg: TowerChoice
    text: str

    @staticmethod
    def parse(text: str) -> Architecture:
        """Read an architecture string.

        Raises:
            ParameterError: the string is not one of the search space.
        """
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise ParameterError(
                f"architecture {text!r} is not of the form back_0<18 digits 0-5>0+cls_<9 digits "
                f"0-2>+reg_<9 digits 0-2>_ops_<stage 2 or 3><block>, for example {LT_MOBILE}"
            )
        digits, cls, reg, stage, block = match.groups()
        stages = _stages(digits)
        last, position = int(stage), int(block)
        if last >= len(stages) or position >= len(stages[last]):
            raise ParameterError(
                f"architecture {text!r} takes its output from block {position} of stage {last}, "
                f"but the stages have {STAGE_CHOICES} blocks"
            )
        kept = (*stages[:last], stages[last][: position + 1])
        return Architecture(kept, _tower(cls, text), _tower(reg, text), text.strip())


def _stages(digits: str) -> list[tuple[BlockChoice, ...]]:
    choices = [
        BlockChoice(BACKBONE_KERNELS[int(d) // 2], BACKBONE_EXPANSIONS[int(d) % 2]) for d in digits
    ]
    stages = []
    for count in STAGE_CHOICES:
        stages.append(tuple(choices[:count]))
        choices = choices[count:]
    return stages


def _tower(digits: str, text: str) -> TowerChoice:
    kernels = tuple(k for d in digits[1:] if (k := HEAD_KERNELS[int(d)]) is not None)
    if not kernels:
        raise ParameterError(f"architecture {text!r} skips every layer of a head tower")
    return TowerChoice(HEAD_WIDTHS[int(digits[0])], kernels)


def round_channels(value: float) -> int:
    """Nearest multiple of 8, at least 8, never below 90 % of `value`."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


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

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_dw = convolution(channels, channels, 3, groups=channels)
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
