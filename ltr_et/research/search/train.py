"""Train the supernet: one uniformly random path a step; resumable, position by step number."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pytracking_et.errors import CheckpointError
from pytracking_et.process import deferred_stop

from ...actors import Batch, ETActor
from ...training import checkpoint
from ...training.data import PairValidation
from .space import Genes, sample
from .supernet import Supernet, recalibrate

log = logging.getLogger(__name__)

Batches = Callable[[int], Iterator[Batch]]
# Pairs that set a path's BatchNorm statistics before it is judged.
RECALIBRATION_BATCHES = 4


@dataclass(frozen=True)
class TrainSettings:
    """steps: of the whole training. lr: of AdamW, cosine to a hundredth. save: seconds between
    checkpoints. seed: of weights and paths.
    """

    steps: int
    lr: float = 1e-3
    save: float = 60.0
    seed: int = 0


def train(settings: TrainSettings, batches: Batches, folder: Path) -> tuple[Supernet, list[float]]:
    """Train, or go on from `folder/supernet.pth`.

    Args:
        batches: called with a step number, gives the batches from there on.

    Returns:
        The supernet and the loss of every step of this call.

    Raises:
        CheckpointError: the checkpoint belongs to another seed or number of steps.
        KeyboardInterrupt: Ctrl-C; after the step under way, which is saved.
    """
    torch.manual_seed(settings.seed)
    net = Supernet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.lr, weight_decay=0.0)
    path = folder / "supernet.pth"
    step = _resume(path, settings, net, optimizer) if path.is_file() else 0
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, settings.steps, settings.lr / 100
    )
    schedule.last_epoch = step
    net.train()
    actor = ETActor(net, fast=False)
    source = batches(step)
    saved, losses = time.monotonic(), []
    with deferred_stop("stopping after this step, to save it; Ctrl-C again: at once") as stop:
        while step < settings.steps:
            net.choose(path_of(settings.seed, step))
            loss, _ = actor({**next(source), "progress": step / settings.steps})
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            step += 1
            due = time.monotonic() - saved > settings.save
            if step == settings.steps or due or stop.asked:
                _save(path, settings, net, optimizer, step)
                log.info("supernet: step %d of %d, loss %.3f", step, settings.steps, losses[-1])
                saved = time.monotonic()
            if stop.asked:
                raise KeyboardInterrupt
    return net, losses


def path_of(seed: int, step: int) -> Genes:
    """The path of a step: the same whether or not the run was interrupted before it."""
    return sample(random.Random(f"{seed}/{step}"))


def _save(path: Path, settings: TrainSettings, net: nn.Module, optimizer: Any, step: int) -> None:
    state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    checkpoint.save(path, {**state, "seed": settings.seed, "steps": settings.steps})


def _resume(path: Path, settings: TrainSettings, net: nn.Module, optimizer: Any) -> int:
    state = checkpoint.load(path)
    for name in ("seed", "steps"):
        if state[name] != getattr(settings, name):
            raise CheckpointError(
                f"{path} was trained with {name} {state[name]}, not {getattr(settings, name)}; "
                "give the same, or another --output"
            )
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def judge(net: Supernet, validation: PairValidation, batches: list[Batch], genes: Genes) -> float:
    """Mean overlap (0..1) of a path on validation pairs, with statistics of its own."""
    found = net.extract(genes)

    def run(module: Any, batch: Batch) -> None:
        actor = ETActor(module, fast=False)
        actor.heads(*actor.features(module, batch))

    recalibrate(found, run, batches)
    return validation(found)["iou"]
