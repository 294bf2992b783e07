"""Parameter groups, learning-rate schedules and optimisers of a stage."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pytracking_et.errors import ParameterError

from ..settings import Stage

# The high-resolution half of LT-Mobile, two thirds of its training time; other backbones have none
# of these names and are all "backbone".
_STEM = tuple(
    f"backbone_net.{name}." for name in ("conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2")
)
_BACKBONE = ("stem", "backbone")
# Epochs of the paper's schedule (docs/method.md, section 7.3): 5 of 50 are warm-up.
PAPER_EPOCHS, PAPER_WARMUP = 50, 5


def part_of(net: nn.Module, name: str) -> str:
    """Part (see `settings.PARTS`) that a parameter or buffer name belongs to."""
    first = name.split(".")[0]
    if first == "backbone_net":
        return "stem" if name.startswith(_STEM) else "backbone"
    if first == "neck":
        return "neck"
    if first == "feature_fusor":
        return "fusor"
    if first.endswith("_pred_head"):
        return "prediction"
    return "exemplar" if hasattr(getattr(net, first), "V_dw") else "separable"


def _decays(name: str, parameter: nn.Parameter, stage: Stage, part: str) -> bool:
    """AdamW: the Exemplar layers' matrices but the keys K (recipe); SGD: everything (paper)."""
    if stage.optimizer == "sgd":
        return True
    return part == "exemplar" and parameter.ndim >= 2 and not name.endswith(".K")


def parameter_groups(net: nn.Module, stage: Stage) -> list[dict[str, Any]]:
    """Groups with `lr` (the part's share of the stage's) and `weight_decay`.

    Parameters of parts without a rate stop requiring a gradient.
    """
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        part = part_of(net, name)
        rate = stage.rates.get(part, 0.0)
        parameter.requires_grad_(rate > 0)
        if rate > 0:
            key = (rate, _decays(name, parameter, stage, part), part in _BACKBONE)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": stage.lr * rate,
            "base_lr": stage.lr * rate,
            "weight_decay": stage.weight_decay if decays else 0.0,
        }
        for (rate, decays, _), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def build_optimizer(net: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """The stage's optimiser over its parameter groups; ParameterError where there are none."""
    groups = parameter_groups(net, stage)
    if not groups:
        raise ParameterError(
            f"stage {stage.name!r}: rates {dict(stage.rates)} train no part of this network"
        )
    if stage.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=stage.lr, momentum=stage.momentum, foreach=True)
    return torch.optim.AdamW(groups, lr=stage.lr, betas=stage.betas, foreach=True)


def rate_at(stage: Stage, step: int) -> float:
    """Factor on the learning rates at a step (0-based) of the stage."""
    if stage.schedule == "paper":
        epoch = step / stage.steps * PAPER_EPOCHS
        if epoch < PAPER_WARMUP:
            return 0.2 + 0.8 * epoch / PAPER_WARMUP
        return stage.final ** ((epoch - PAPER_WARMUP) / (PAPER_EPOCHS - PAPER_WARMUP))
    warm = min(1.0, (step + 1) / max(1, stage.warmup))
    share = max(0, step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return warm * (stage.final + (1 - stage.final) * 0.5 * (1 + math.cos(math.pi * min(1, share))))


def set_rates(optimizer: torch.optim.Optimizer, stage: Stage, step: int) -> float:
    """Write the schedule's rates into the optimiser; returns the factor."""
    factor = rate_at(stage, step)
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return factor


def backbone_frozen(stage: Stage, step: int) -> bool:
    """Whether the backbone is left alone at this step of the stage."""
    return step < stage.freeze_backbone * stage.steps


def set_modes(net: nn.Module, stage: Stage, step: int) -> None:
    """Train mode; BatchNorm only where the stage trains it and the part learns at this step."""
    net.train()
    frozen = backbone_frozen(stage, step)
    for name, module in net.named_modules():
        # SyncBatchNorm is no BatchNorm2d.
        if isinstance(module, _BatchNorm):
            part = part_of(net, name)
            learns = stage.rates.get(part, 0.0) > 0 and not (frozen and part in _BACKBONE)
            module.train(stage.batch_norm == "train" and learns)
