"""A network that holds every architecture of the space, sharing weights, and its training.

Every block position holds one module per choice (Guo et al., "Single Path One-Shot", ECCV 2020,
arXiv 1904.00420, which LightTrack follows), every tower layer one per width and kernel. `choose`
makes a path active; `extract` copies it into a network of its own. Training takes one uniformly
random path a step, and goes on from its file.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from pytracking_et import network
from pytracking_et.errors import CheckpointError
from pytracking_et.network.backbones import lt_mobile
from pytracking_et.network.correlation import FeatureFusor, Neck
from pytracking_et.network.towers import ClassificationHead, RegressionHead, SeparableConv
from pytracking_et.network.trackers import FUSED_CHANNELS, LightTrackNetwork, TrackingNetwork
from pytracking_et.process import deferred_stop

from ...actors import Batch, ETActor
from ...training import checkpoint
from ...training.data import PairValidation
from .space import LAST_STAGE, Genes, Tower, built_blocks, sample

STEM_CHANNELS, STAGE_CHANNELS = lt_mobile.STEM_CHANNELS, lt_mobile.STAGE_CHANNELS
_KERNELS = [kernel for kernel in lt_mobile.HEAD_KERNELS if kernel is not None]


class SuperBackbone(nn.Module):
    """All backbones: (B, 3, H, W) -> (B, 96, H/16, W/16) along the active path."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = lt_mobile.convolution(3, STEM_CHANNELS, 3, 2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.stem = lt_mobile.SeparableBlock(STEM_CHANNELS)
        self.positions = nn.ModuleList()
        inputs = STEM_CHANNELS
        for stage in range(LAST_STAGE + 1):
            for block in range(lt_mobile.STAGE_CHOICES[stage]):
                stride = lt_mobile.STAGE_STRIDES[stage] if block == 0 else 1
                outputs = STAGE_CHANNELS[stage]
                self.positions.append(_choices(inputs, outputs, stride))
                inputs = outputs
        self.path: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Image batch to feature batch."""
        x = self.stem(F.silu(self.bn1(self.conv_stem(x))))
        for position, choice in zip(self.positions, self.path, strict=False):
            x = position[choice](x)  # type: ignore[index]
        return x


def _choices(inputs: int, outputs: int, stride: int) -> nn.ModuleList:
    return nn.ModuleList(
        lt_mobile.InvertedResidual(inputs, outputs, kernel, expansion, stride)
        for kernel in lt_mobile.BACKBONE_KERNELS
        for expansion in lt_mobile.BACKBONE_EXPANSIONS
    )


class SuperTower(nn.Module):
    """All towers of one head: per width, layers of kernel 3 and 5 and a prediction."""

    def __init__(self, prediction: type[nn.Module]) -> None:
        super().__init__()
        self.widths = nn.ModuleList()
        self.predictions = nn.ModuleList(prediction(width) for width in lt_mobile.HEAD_WIDTHS)
        for width in lt_mobile.HEAD_WIDTHS:
            layers = nn.ModuleList()
            for layer in range(lt_mobile.HEAD_LAYERS):
                inputs = FUSED_CHANNELS if layer == 0 else width
                layers.append(
                    nn.ModuleList(SeparableConv(inputs, width, kernel) for kernel in _KERNELS)
                )
            self.widths.append(layers)

    def layers(self, tower: Tower) -> list[nn.Module]:
        """Layers of a tower, the skipped ones left out."""
        bank: Any = self.widths[tower.width]
        return [
            bank[place][digit]
            for place, digit in enumerate(tower.layers)
            if lt_mobile.HEAD_KERNELS[digit] is not None
        ]


class Supernet(TrackingNetwork):
    """Every architecture of the space; call `choose` before anything else."""

    backbone_net: SuperBackbone
    genes: Genes

    def __init__(self) -> None:
        super().__init__()
        self.backbone_net = SuperBackbone()
        self.neck = Neck(STAGE_CHANNELS[LAST_STAGE], wrap=False)
        self.feature_fusor = FeatureFusor(wrap=False, outputs=FUSED_CHANNELS)
        self.cls = SuperTower(ClassificationHead)
        self.reg = SuperTower(RegressionHead)

    def choose(self, genes: Genes) -> None:
        """Make a path the active one."""
        self.genes = genes
        self.backbone_net.path = genes.blocks[: built_blocks(genes.output)]

    # Under the names that training uses (ETActor).
    @property
    def cls_tower(self) -> list[nn.Module]:
        """Active layers of the classification tower."""
        return self.cls.layers(self.genes.cls)

    @property
    def reg_tower(self) -> list[nn.Module]:
        """Active layers of the box regression tower."""
        return self.reg.layers(self.genes.reg)

    @property
    def cls_pred_head(self) -> nn.Module:
        """Prediction of the score at the active width."""
        return self.cls.predictions[self.genes.cls.width]

    @property
    def reg_pred_head(self) -> nn.Module:
        """Prediction of the distances at the active width."""
        return self.reg.predictions[self.genes.reg.width]

    def extract(self, genes: Genes) -> LightTrackNetwork:
        """A network of its own with the path's weights; what training shared is copied."""
        found = network.build(str(genes))
        assert isinstance(found, LightTrackNetwork)
        self.choose(genes)
        own: Any = found.backbone_net
        pairs: list[tuple[Any, Any]] = [
            (own.conv_stem, self.backbone_net.conv_stem),
            (own.bn1, self.backbone_net.bn1),
            (own.blocks[0][0], self.backbone_net.stem),
            (found.neck, self.neck),
            (found.feature_fusor, self.feature_fusor),
            (found.cls_pred_head, self.cls_pred_head),
            (found.reg_pred_head, self.reg_pred_head),
            *zip(found.cls_tower, self.cls_tower, strict=True),
            *zip(found.reg_tower, self.reg_tower, strict=True),
        ]
        blocks = [block for stage in own.blocks[1:] for block in stage]
        path = self.backbone_net.path
        bank: Any = self.backbone_net.positions
        pairs += [
            (block, bank[place][choice])
            for place, (block, choice) in enumerate(zip(blocks, path, strict=True))
        ]
        for target, source in pairs:
            target.load_state_dict(source.state_dict())
        return found


log = logging.getLogger(__name__)

Batches = Callable[[int], Iterator[Batch]]
LR = 1e-3
# Batches that set a path's BatchNorm statistics before it is judged.
RECALIBRATION_BATCHES = 4


def train(
    steps: int,
    seed: int,
    batches: Batches,
    folder: Path,
    save_seconds: float = 60.0,
    **others: int,
) -> tuple[Supernet, list[float]]:
    """Train, or go on from `folder/supernet.pth`.

    Args:
        steps: of the whole training; the rate falls with a cosine to a hundredth.
        seed: of weights and paths.
        batches: called with a step number, gives the batches from there on.
        save_seconds: between checkpoints.
        others: what else a stopped training must be given again, by name.

    Returns:
        The supernet and the loss of every step of this call.

    Raises:
        CheckpointError: the checkpoint belongs to another seed, number of steps, and so on.
        KeyboardInterrupt: Ctrl-C; after the step under way, which is saved.
    """
    torch.manual_seed(seed)
    net = Supernet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.0)
    path = folder / "supernet.pth"
    plan = {"seed": seed, "steps": steps, **others}
    step = _resume(path, plan, net, optimizer) if path.is_file() else 0
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, LR / 100)
    schedule.last_epoch = step
    net.train()
    actor = ETActor(net, fast=False)
    source = batches(step)
    saved, losses = time.monotonic(), []
    with deferred_stop("stopping after this step, to save it; Ctrl-C again: at once") as stop:
        while step < steps:
            net.choose(path_of(seed, step))
            loss, _ = actor({**next(source), "progress": step / steps})
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            step += 1
            due = time.monotonic() - saved > save_seconds
            if step == steps or due or stop.asked:
                state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
                checkpoint.save(path, {**state, "step": step, **plan})
                log.info("supernet: step %d of %d, loss %.3f", step, steps, losses[-1])
                saved = time.monotonic()
            if stop.asked:
                raise KeyboardInterrupt
    return net, losses


def path_of(seed: int, step: int) -> Genes:
    """The path of a step: the same whether or not the run was interrupted before it."""
    return sample(random.Random(f"{seed}/{step}"))


def _resume(path: Path, plan: dict[str, int], net: nn.Module, optimizer: Any) -> int:
    state = checkpoint.load(path)
    for name, value in plan.items():
        # Absent from those of earlier versions.
        if state.get(name, value) != value:
            raise CheckpointError(
                f"{path} was trained with {name} {state[name]}, not {value}; "
                "give the same, or another --output"
            )
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def extracted(net: Supernet, batches: list[Batch], genes: Genes) -> LightTrackNetwork:
    """A path as a network of its own, in eval mode, with BatchNorm statistics of the batches.

    Those of the supernet, which all paths share, fit no single one.
    """
    found = net.extract(genes)
    with torch.no_grad():
        update_bn(batches, ETActor(found, fast=False))
    return found.eval()


def judge(net: Supernet, validation: PairValidation, batches: list[Batch], genes: Genes) -> float:
    """Mean overlap (0..1) of a path on validation pairs, with statistics of its own."""
    return validation(extracted(net, batches, genes))["iou"]
