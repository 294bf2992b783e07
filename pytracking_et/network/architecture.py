"""Architecture strings of the LightTrack search space (Yan et al., CVPR 2021, arXiv 2104.14545).

Example, LT-Mobile: `back_04502514044521042540+cls_211000022+reg_100000111_ops_32`
(format: docs/method.md, section 2). Parsing only; `backbones.lt_mobile` and `towers` build it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ParameterError

LT_MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"

BACKBONE_KERNELS = (3, 5, 7)
BACKBONE_EXPANSIONS = (4, 6)
STAGE_CHOICES = (2, 4, 4, 4, 4)
HEAD_WIDTHS = (128, 192, 256)
# None is a skipped layer.
HEAD_KERNELS: tuple[int | None, ...] = (3, 5, None)
HEAD_LAYERS = 8

_PATTERN = re.compile(r"back_0([0-5]{18})0\+cls_([0-2]{9})\+reg_([0-2]{9})_ops_([0-4])([0-3])")


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
                f"0-2>+reg_<9 digits 0-2>_ops_<stage><block>, for example {LT_MOBILE}"
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
