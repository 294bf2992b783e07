"""The training loop: stages, steps, checkpoints, validation, log.

The position of a run is (stage, step); everything that is random in a step depends on the seed and
that position, so a run that was killed and resumed repeats itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pytracking_et.process import deferred_stop

from ..actors import Batch
from ..average import EMA
from ..locks import alone
from ..settings import Settings, Stage
from . import checkpoint
from .checkpoint import TrainingError
from .distributed import Group
from .log import Meter, TrainingLog, plot, progress_bar
from .optimizer import backbone_frozen, build_optimizer, set_modes, set_rates

LONGEST_STEP = 120.0
# Use of random numbers, beside the step itself.
_DATA = 1


class Data(Protocol):
    """Batches of a stage, of this process."""

    def batches(self, step: int) -> Iterator[Batch]:
        """Endless batches from the stage's step `step` (0-based) on."""
        ...

    @property
    def waited(self) -> float:
        """Seconds spent waiting for batches so far."""
        ...

    def state(self) -> dict[str, Any]:
        """What to remember in a checkpoint, so that the same batches come again."""
        ...


OpenData = Callable[[Stage, dict[str, Any]], Data]
MakeActor = Callable[[Stage], nn.Module]
Validate = Callable[[nn.Module], dict[str, float]]
Export = Callable[[dict[str, Tensor], int, Path], None]
BeforeStage = Callable[[nn.Module, Stage], None]


class Trainer:
    """Runs the stages of `settings` on a network.

    Args:
        net: network under training, already at its starting weights.
        actor: makes the actor of a stage.
        data: opens the data of a stage; second argument is a resumed `Data.state()` or {}.
        validate: measures a network (it gets the averaged weights).
        export: writes averaged weights for tracking.
        before_stage: called with the network when a stage begins (not when it is resumed).

    Raises:
        TrainingError: the folder's checkpoint belongs to a run with other settings.
    """

    def __init__(
        self,
        settings: Settings,
        group: Group,
        net: nn.Module,
        *,
        actor: MakeActor,
        data: OpenData,
        validate: Validate | None = None,
        export: Export | None = None,
        before_stage: BeforeStage | None = None,
    ) -> None:
        self.settings, self.group = settings, group
        # Tensor cores read channels-last; on CPUs the fast heads bring their own layout.
        layout = torch.channels_last if group.device.type == "cuda" else torch.preserve_format
        self.net = net.to(group.device, memory_format=layout)  # type: ignore[call-overload]
        self._make_actor, self._open_data = actor, data
        self._validate, self._export, self._before_stage = validate, export, before_stage
        self.folder = settings.folder
        self.latest = self.folder / "latest.pth"
        self.stage_number, self.step, self.samples, self.seconds = 0, 0, 0, 0.0
        self._resumed: dict[str, Any] = {}
        if self.latest.is_file() and not settings.fresh:
            self._resumed = checkpoint.load(self.latest)
            checkpoint.check(self._resumed, settings, self.latest)
            settings.constants = {**checkpoint.constants(self._resumed), **settings.constants}
            self.stage_number, self.step = self._resumed["stage"], self._resumed["step"]
            self.samples, self.seconds = self._resumed["samples"], self._resumed["seconds"]
            self.net.load_state_dict(self._resumed["net"])
        # Once: what lies there hours later may be gone, or another run's.
        self._digests = checkpoint.digests(settings, self._resumed)
        self.ema = EMA(self.net)
        self.log: TrainingLog | None = None

    def run(self) -> bool:
        """Train until all stages are done (True) or `max_minutes` have passed (False).

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; between two steps, and after saving them.
            TrainingError: another process trains in the same folder.
        """
        busy = (
            f"another process is training in {self.folder}; wait for it, or give this run another "
            "--workspace"
        )
        with alone(self.folder, busy, TrainingError) if self.group.leads else nullcontext():
            return self._run()

    def _run(self) -> bool:
        settings = self.settings
        if self.group.leads:
            self.log = TrainingLog(self.folder, self.samples if self._resumed else None)
            self._event("resumed" if self._resumed else "started", revision=checkpoint.revision())
        self._clock = time.perf_counter()
        self._deadline = self._clock + 60 * settings.max_minutes if settings.max_minutes else None
        if not self._resumed:
            self._measure()
        finished = True
        with deferred_stop("stopping after this step, to save it; Ctrl-C again: at once") as stop:
            self._stop = stop
            while self.stage_number < len(settings.stages) and finished:
                finished = self._run_stage(settings.stages[self.stage_number])
        stopped = not finished and self.group.any(stop.asked)
        if self.group.leads:
            self._event("finished" if finished else "paused")
            plot(self.folder / "log.jsonl", self.folder / "curves.png")
            assert self.log is not None
            self.log.close()
        if stopped:
            raise KeyboardInterrupt
        return finished

    # -- one stage ---------------------------------------------------------------------------

    def _run_stage(self, stage: Stage) -> bool:
        if not self._resumed:
            self._event("stage", stage=stage.name)
            if self._before_stage is not None:
                self._before_stage(self.net, stage)
        optimizer = build_optimizer(self.net, stage)
        self._scaler = self._new_scaler()
        self.ema = EMA(self.net, stage.ema)
        data_state: dict[str, Any] = {}
        if self._resumed:
            rates = [group["base_lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(self._resumed["optimizer"])
            # The stage's `lr` may have changed since; see `checkpoint`.
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["base_lr"] = rate
            # None in checkpoints of earlier versions and of runs with another precision.
            if self._resumed.get("scaler") and self._scaler.is_enabled():
                self._scaler.load_state_dict(self._resumed["scaler"])
            self.ema.load_state_dict(self._resumed["ema"])
            data_state, self._resumed = self._resumed["data"], {}
        # On the CPU there is none: each process takes its own share's statistics (see Group.wrap).
        on_gpu = self.group.device.type == "cuda"
        if stage.batch_norm == "train" and self.group.world > 1 and on_gpu:
            self.net = nn.SyncBatchNorm.convert_sync_batchnorm(self.net)
        set_modes(self.net, stage, self.step)
        actor = self.group.wrap(self._make_actor(stage), partly=stage.freeze_backbone > 0)
        data = self._open_data(stage, data_state)
        finished = self._steps(stage, actor, optimizer, data)
        if finished:
            # The next stage and the shipped file start from the averaged weights.
            self.net.load_state_dict(self.ema.state)
            self.stage_number, self.step = self.stage_number + 1, 0
            self._measure()
            self._snapshot(f"samples_{self.samples:09d}")
            self._snapshot("final")
            if self.stage_number < len(self.settings.stages):
                return True
            self._save(optimizer, data)
        return finished

    def _steps(
        self, stage: Stage, actor: nn.Module, optimizer: torch.optim.Optimizer, data: Data
    ) -> bool:
        settings, meter = self.settings, Meter()
        timers = {name: time.perf_counter() for name in ("save", "validate", "snapshot")}
        batches = data.batches(self.step)
        bar = progress_bar(stage.name, stage.steps * stage.batch, self.step * stage.batch,
                           self.group.leads)  # fmt: skip
        with bar:
            while self.step < stage.steps:
                if self.step and backbone_frozen(stage, self.step - 1):
                    set_modes(self.net, stage, self.step)
                waited = data.waited
                # For data that are made here (`data.batched`).
                self._seed(_DATA)
                batch = next(batches)
                stats = self._one_step(stage, actor, optimizer, batch)
                self.step += 1
                self.samples += stage.batch
                self._tick()
                meter.add(stage.batch, data.waited - waited, **stats)
                bar.update(stage.batch)
                if self.step % settings.record_steps == 0 or self.step == stage.steps:
                    self._record(stage, meter)
                if self._due(timers, "validate", settings.validate_minutes):
                    self._measure()
                if self._due(timers, "snapshot", settings.snapshot_minutes):
                    self._snapshot(f"samples_{self.samples:09d}")
                if self._due(timers, "save", settings.save_minutes):
                    self._save(optimizer, data)
                if self._must_end():
                    self._record(stage, meter)
                    self._save(optimizer, data)
                    return self.step >= stage.steps
        return True

    def _one_step(
        self, stage: Stage, actor: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch
    ) -> dict[str, float]:
        """One optimiser step over a batch in micro-batches; returns values to log."""
        # Dropout and the like.
        self._seed()
        progress = self.step / stage.steps
        rate = set_rates(optimizer, stage, self.step)
        frozen = backbone_frozen(stage, self.step)
        optimizer.zero_grad(set_to_none=True)
        size = len(batch["box"])
        sums: dict[str, Tensor] = {}
        scaler = self._scaler
        parts = list(split(batch, stage.micro_batch))
        for number, part in enumerate(parts):
            part = to_device(part, self.group.device) | {
                "progress": progress,
                "backbone_frozen": frozen,
            }
            with self._silent(actor, last=number == len(parts) - 1), self._autocast():
                loss, stats = actor(part)
                share = len(part["box"]) / size
                self._check(loss, part, "loss")
                scaler.scale(loss * share).backward()
            for name, value in stats.items():
                sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value * share
        scaler.unscale_(optimizer)
        learning = [p for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(learning, stage.clip or math.inf, foreach=True)
        if not scaler.is_enabled():
            self._check(norm, batch, "gradient")
        scaler.step(optimizer)
        scaler.update()
        self.ema.update(self.net)
        names = list(sums)
        values = self.group.mean(torch.stack([sums[name].float() for name in names])).tolist()
        return dict(zip(names, values, strict=True)) | {"gradient": float(norm), "rate": rate}

    def _seed(self, *use: int) -> None:
        """Random numbers of a step, others for another use: the same however the run came here."""
        place = (self.settings.seed, self.stage_number, self.step, self.group.rank)
        torch.manual_seed(hash((*place, *use)))

    def _silent(self, actor: nn.Module, last: bool) -> AbstractContextManager[Any]:
        """Gradients of all but the last micro-batch stay in this process."""
        if last or not isinstance(actor, DistributedDataParallel):
            return nullcontext()
        return actor.no_sync()

    def _new_scaler(self) -> torch.amp.GradScaler:
        kind = self.settings.precision
        return torch.amp.GradScaler(self.group.device.type, enabled=kind == "float16")

    def _autocast(self) -> AbstractContextManager[Any]:
        kind = self.settings.precision
        if kind == "float32":
            return nullcontext()
        return torch.autocast(self.group.device.type, getattr(torch, kind))

    def _check(self, value: Tensor, batch: Batch, what: str) -> None:
        value = value.detach()
        if torch.isfinite(value).all():
            return
        path = self.folder / f"not_finite_{self.samples:09d}_rank{self.group.rank}.pth"
        tensors = {name: item for name, item in batch.items() if torch.is_tensor(item)}
        checkpoint.save(path, {"batch": tensors, "net": self.net.state_dict(), "step": self.step})
        raise TrainingError(
            f"{what} is {float(value)} at step {self.step} ({self.samples} samples); the batch and "
            f"the network are in {path}. Lower the stage's lr or clip and start again: training "
            f"goes on from the last checkpoint"
        )

    # -- book-keeping ------------------------------------------------------------------------

    def _tick(self) -> None:
        now = time.perf_counter()
        # A longer step means that the process or the machine was suspended: no training time.
        self.seconds += min(now - self._clock, LONGEST_STEP)
        self._clock = now

    def _must_end(self) -> bool:
        late = self._deadline is not None and time.perf_counter() > self._deadline
        return self.group.any(late or self._stop.asked)

    def _due(self, timers: dict[str, float], name: str, minutes: float) -> bool:
        if not minutes or not self.group.leads:
            return False
        now = time.perf_counter()
        if now - timers[name] < 60 * minutes:
            return False
        timers[name] = now
        return True

    def _event(self, event: str, **values: Any) -> None:
        if self.log is not None:
            self.log.write("event", self.samples, event=event, hours=self.seconds / 3600, **values)

    def _record(self, stage: Stage, meter: Meter) -> None:
        if self.log is not None and meter.steps:
            values = {"stage": stage.name, "step": self.step, "hours": self.seconds / 3600}
            self.log.write("train", self.samples, **values, **meter.averages())
        meter.reset()

    def _measure(self) -> None:
        """Validate the averaged weights."""
        if self._validate is None or self.log is None:
            return
        training = {name: module.training for name, module in self.net.named_modules()}
        with self.ema.applied_to(self.net), torch.inference_mode():
            result = self._validate(self.net.eval())
        for name, module in self.net.named_modules():
            module.training = training[name]
        self.log.write("validation", self.samples, hours=self.seconds / 3600, **result)

    def _snapshot(self, name: str) -> None:
        if self._export is not None and self.group.leads:
            folder = self.folder if name == "final" else self.folder / "snapshots"
            self._export(self.ema.state, self.samples, folder / f"{name}.safetensors")

    def _save(self, optimizer: torch.optim.Optimizer, data: Data) -> None:
        if not self.group.leads:
            return
        state = {
            "stage": self.stage_number, "step": self.step, "samples": self.samples,
            "seconds": self.seconds, "net": self.net.state_dict(), "ema": self.ema.state_dict(),
            "optimizer": optimizer.state_dict(), "scaler": self._scaler.state_dict(),
            "data": data.state(), "settings": self.settings.to_json(),
            "revision": checkpoint.revision(), "digests": self._digests,
        }  # fmt: skip
        checkpoint.save(self.latest, state)


def split(batch: Batch, size: int) -> Iterator[Batch]:
    """Micro-batches of `size` pairs."""
    count = len(batch["box"])
    for first in range(0, count, size or count):
        chosen = slice(first, first + (size or count))
        yield {name: v[chosen] if torch.is_tensor(v) else v for name, v in batch.items()}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch's tensors on `device`."""
    return {
        n: v.to(device, non_blocking=True) if torch.is_tensor(v) else v for n, v in batch.items()
    }
