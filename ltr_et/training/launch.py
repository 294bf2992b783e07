"""From settings to a run: networks, warm start, data, validation, export."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError
from pytracking_et.network.normalisation import normalise

from ..actors import Batch, ETActor
from ..average import reestimate
from ..data.bank import FrameBank
from ..data.batched import BatchedSettings, DevicePairs
from ..dataset.pack import open_pack
from ..settings import Settings, Stage, apply_overrides
from ..warm_start import narrow, warm_start
from .checkpoint import revision
from .data import (
    PairData,
    PairValidation,
    collate,
    hash_name,
    held_out_validation,
    open_pairs,
)
from .distributed import Group, group
from .trainer import Data, Trainer, to_device

log = logging.getLogger(__name__)

# Pairs that set statistics come from an epoch that training never reaches.
_UNUSED_EPOCH = 2**31 - 1
# Relative difference of two backbones' features: LT-Mobile's rounded to float16 makes 0.0004, that
# of version 3, which was trained on, 0.3.
_SAME_FEATURES = 0.005
# Enough tokens (256 each) that the refit's thousands of values are not fitted to chance.
_NARROW_PAIRS = 320

# Opens the data of a stage whose source is "datasets"; given by the settings script.
OpenDatasets = Callable[[Settings, Stage], Any]


def train(settings: Settings, datasets: OpenDatasets | None = None) -> bool:
    """Run the stages of `settings` (after its `overrides`); True when all are done.

    Raises:
        PytrackingETError: settings, data or weights that do not fit.
    """
    with launched(settings, datasets) as launch:
        return launch.trainer().run()


@contextmanager
def launched(settings: Settings, datasets: OpenDatasets | None = None) -> Iterator[Launch]:
    """Apply overrides and threads, join the group of processes, gather the parts of a run."""
    apply_overrides(settings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with group(settings.use_gpu) as processes:
        yield Launch(settings, processes, datasets)


class Launch:
    """Builds the parts of a run.

    Raises:
        CheckpointError: a loss that needs a teacher, and there is none.
    """

    def __init__(
        self, settings: Settings, processes: Group, datasets: OpenDatasets | None = None
    ) -> None:
        self.settings, self.group, self.datasets = settings, processes, datasets
        self.teacher: Any | None = None
        taught = [stage.name for stage in settings.stages if stage.losses.needs_teacher]
        if settings.teacher is not None:
            self.teacher = network.build("lt_mobile").to(processes.device)
            network.weights.load(self.teacher, settings.teacher)
        elif taught:
            raise CheckpointError(
                f"stage {taught[0]!r} learns from LT-Mobile, and no teacher is set; give its "
                "weights with --teacher FILE"
            )
        self._bank: FrameBank | None = None

    def trainer(self) -> Trainer:
        """A trainer at its starting point (warm start, `initial` weights, or a checkpoint)."""
        settings = self.settings
        torch.manual_seed(settings.seed)
        net = network.build(settings.network)
        if settings.fresh or not (settings.folder / "latest.pth").is_file():
            self._start(net)
        return Trainer(
            settings,
            self.group,
            net,
            actor=partial(self.actor, net),
            data=self._open,
            validate=self._validation(),
            export=self.export,
            before_stage=self.before_stage,
        )

    def actor(self, net: nn.Module, stage: Stage) -> ETActor:
        """The actor of a stage."""
        return ETActor(
            net, self.teacher, stage.losses, fast=stage.fast, keep=stage.keep,
            dropout=stage.dropout,
        )  # fmt: skip

    def _start(self, net: Any) -> None:
        settings = self.settings
        if settings.initial is not None:
            named = network.weights.load(net, settings.initial).get("network", settings.network)
            keep_constants(settings, settings.initial)
            if named != settings.network:
                log.warning(
                    "%s holds weights of network %s, which train as %s from here on; "
                    "--set network=%s trains on what they were",
                    settings.initial, named, settings.network, named,
                )  # fmt: skip
        elif self.teacher is not None:
            z, x = self._features(self.teacher, settings.stages[0], settings.warm_start_pairs)
            net.to(self.group.device)
            errors = warm_start(net, self.teacher, z, x, settings.seed)
            log.info("warm start, relative error per layer: %s", _listing(errors))
        elif settings.backbone is None:
            log.info("training from random weights: no `initial`, `teacher` or `backbone` is set")
        if settings.backbone is not None:
            load_backbone(net, settings.backbone)

    @torch.no_grad()
    def _features(self, net: Any, stage: Stage, count: int) -> tuple[Tensor, Tensor]:
        """Raw backbone features of `count` pairs of a stage that training never sees.

        They are on the network's device.
        """
        # In train mode the backbone's BatchNorm would take statistics from these pairs.
        net.eval()
        device = next(net.parameters()).device
        zs, xs = [], []
        for batch in self._unused(stage, count):
            z, x = ETActor.features(net, to_device(batch, device))
            zs.append(z)
            xs.append(x)
        return torch.cat(zs), torch.cat(xs)

    def _unused(self, stage: Stage, count: int) -> Iterator[Batch]:
        """Batches of 16 that training never sees, `count` pairs in all."""
        if stage.source == "frames":
            # Alike in all processes, which must begin with one network.
            pairs = self._device_pairs(stage, 16, rank=0, sizes=(256,))
            yield from (pairs.make(_UNUSED_EPOCH + first) for first in range(0, count, 16))
            return
        source = open_pairs(self.settings, stage, {})
        for first in range(0, count, 16):
            yield collate([source[_UNUSED_EPOCH, item] for item in range(first, first + 16)])

    def _device_pairs(
        self, stage: Stage, batch: int, rank: int, sizes: tuple[int, ...] | None = None
    ) -> DevicePairs:
        settings = self.settings
        if self._bank is None:
            if settings.data is None:
                raise DatasetError(f"stage {stage.name!r} reads frames; set data=FOLDER")
            workers = settings.num_workers or 8
            self._bank = FrameBank(open_pack(settings.data), self.group.device, workers=workers)
            for message in self._bank.unreadable[:5]:
                log.warning("skipped: %s", message)
            log.info("%d frames on the device", len(self._bank.offset))
        seed = settings.seed + hash_name(stage.name) + 1000 * rank
        drawn = BatchedSettings(seed, sizes=sizes or BatchedSettings.sizes)
        return DevicePairs(self._bank, batch, drawn)

    def _open(self, stage: Stage, state: dict[str, Any]) -> Data:
        if stage.source == "frames":
            return self._device_pairs(stage, self.group.share(stage.batch), self.group.rank)
        if stage.source == "datasets":
            if self.datasets is None:
                raise DatasetError(f"stage {stage.name!r} needs data sets; none were opened")
            pairs = self.datasets(self.settings, stage)
        else:
            pairs = open_pairs(self.settings, stage, state)
        return PairData(pairs, stage, self.settings, self.group)

    def _validation(self) -> PairValidation | None:
        settings = self.settings
        if settings.crops is None or not settings.validation_pairs or not self.group.leads:
            return None
        validation = held_out_validation(settings.crops, settings.validation_pairs)
        if validation is None:
            log.warning("no validation: %s holds no held-out clip (too few clips)", settings.crops)
        return validation

    def before_stage(self, net: nn.Module, stage: Stage) -> None:
        """Narrow the network and set its statistics, as far as the stage asks for.

        Raises:
            CheckpointError: the stage reads cached features, and the network's backbone makes
                others.
        """
        cached = stage.source == "features" and self.teacher is not None
        if cached and not _same_features(net, self.teacher):
            raise CheckpointError(
                f"stage {stage.name!r} reads cached features of LT-Mobile's backbone, and the "
                "network's own backbone (from --initial, --backbone or an earlier stage) makes "
                "others; set the stage's source=crops, or go on from --initial with refine"
            )
        if stage.units:
            errors = narrow(net, *self._features(net, stage, _NARROW_PAIRS), stage.units)
            log.info("%d units, relative error per layer: %s", stage.units, _listing(errors))
        if stage.reestimate:
            self._reestimate(net, stage)

    def _reestimate(self, net: nn.Module, stage: Stage) -> None:
        actor = ETActor(net, fast=False)
        device = next(net.parameters()).device

        def run(batch: Batch) -> None:
            actor.heads(*actor.features(net, to_device(batch, device)))

        count = reestimate(net, run, self._unused(stage, stage.reestimate))
        log.info("statistics of %d BatchNorm layers set from %d pairs", count, stage.reestimate)

    def export(self, state: dict[str, Tensor], samples: int, path: Path) -> None:
        """Write weights with the texts that tracking and a model card need."""
        settings = self.settings
        texts = {
            "network": settings.network, "parameters": json.dumps(settings.constants),
            "recipe": settings.project_path, "samples": str(samples), "revision": revision(),
            "license": settings.license_note,
        }  # fmt: skip
        # One value too large must not cost the run; one that is not finite is refused.
        largest = max(float(v.abs().max()) for v in state.values() if v.is_floating_point())
        fits = not torch.finfo(torch.float16).max < largest < math.inf
        if not fits:
            log.warning("%s is in float32: %g does not fit into float16", path, largest)
        network.weights.save(path, state, texts, half=fits)


def keep_constants(settings: Settings, weights: Path) -> None:
    """Constants of the loop that lie in the weights a run starts from hold for its own, too.

    Not `presence`, which was fitted to those weights' scores.
    """
    known = network.weights.tuned_parameters(weights)
    known.pop("presence", None)
    settings.constants = {**known, **settings.constants}


@torch.no_grad()
def _same_features(net: Any, teacher: Any) -> bool:
    """Whether two backbones compute the same; parameters may differ (`average.reestimate`)."""
    device = next(net.parameters()).device
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    image = normalise(255 * noise.to(device))
    net.eval()
    own, theirs = net.backbone_net(image), teacher.backbone_net(image)
    return bool((own - theirs).norm() <= _SAME_FEATURES * theirs.norm())


def _listing(errors: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in errors.items())


def load_backbone(net: Any, path: Path) -> None:
    """Fit weights into `net.backbone_net`; names may carry `backbone_net.` or not.

    Entries of layers that the tracker does not build (later stages, a classifier) are ignored, and
    the tracker's own `adapt` stays random where the file has none.

    Raises:
        CheckpointError: entries missing or of another shape.
    """
    state, _ = network.weights.read(path)
    state = {name.removeprefix("backbone_net."): value for name, value in state.items()}
    wanted = net.backbone_net.state_dict()
    optional = [n for n in wanted if n.startswith("adapt.") or n.endswith("num_batches_tracked")]
    absent = [n for n in wanted if n not in state and n not in optional]
    misshapen = [n for n in wanted if n in state and state[n].shape != wanted[n].shape]
    if absent or misshapen:
        raise CheckpointError(
            f"backbone weights {path} lack {len(absent)} entries {absent[:4]} and have another "
            f"shape in {len(misshapen)} {misshapen[:4]}; they belong to another backbone, "
            "or have other names than torchvision's"
        )
    net.backbone_net.load_state_dict({n: state[n] for n in wanted if n in state}, strict=False)
