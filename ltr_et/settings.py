"""Typed settings of a training run: a `Settings` with a list of `Stage`s (pytracking's ltr shape).

A recipe, a function of `ltr_et/train_settings/MODULE.py` in its `RECIPES` (or `run(settings)` of a
script `ltr_et/train_settings/MODULE/NAME.py`, as pytracking has them), fills in the stages and
starts the run.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pytracking_et.errors import ParameterError
from pytracking_et.tracking.parameters import Parameters

from .actors import LossWeights

# Parts of the network that may have a learning rate of their own; see training.optimizer.part_of.
PARTS = ("stem", "backbone", "neck", "fusor", "separable", "exemplar", "prediction")


# What a number must be: the test, and how a message says it. Out of these bounds most would train
# without a word: a negative `clip` turns the gradient round.
Bound = tuple[Callable[[float], bool], str]
NOT_NEGATIVE: Bound = (lambda value: 0 <= value < math.inf, "0 or more")
ONE_OR_MORE: Bound = (lambda value: value >= 1, "1 or more")
_BELOW_ONE: Bound = (lambda value: 0 <= value < 1, "0 or more and less than 1")
SHARE: Bound = (lambda value: 0 <= value <= 1, "0 to 1")
_PART: Bound = (lambda value: 0 < value <= 1, "more than 0, at most 1")
_OF_A_STAGE: dict[str, Bound] = {
    **dict.fromkeys(("lr", "weight_decay", "warmup", "micro_batch", "clip"), NOT_NEGATIVE),
    **dict.fromkeys(("reestimate", "units"), NOT_NEGATIVE),
    **dict.fromkeys(("momentum", "ema", "dropout"), _BELOW_ONE),
    **dict.fromkeys(("final", "freeze_backbone"), SHARE),
    "keep": _PART,
}
_OF_A_RUN: dict[str, Bound] = {
    **dict.fromkeys(("threads", "num_workers", "validation_pairs"), NOT_NEGATIVE),
    "seed": (lambda value: 0 <= value < 2**63, "0 to 2^63 - 1"),
    **dict.fromkeys(("save_minutes", "validate_minutes"), NOT_NEGATIVE),
    **dict.fromkeys(("snapshot_minutes", "max_minutes"), NOT_NEGATIVE),
    **dict.fromkeys(("record_steps", "warm_start_pairs"), ONE_OR_MORE),
}


def check_numbers(where: str, values: Mapping[str, float], bounds: Mapping[str, Bound]) -> None:
    """Whether values lie within the bounds of their names.

    Args:
        where: what messages put before a name.

    Raises:
        ParameterError: one does not.
    """
    for name, (fits, words) in bounds.items():
        if not fits(values[name]):
            raise ParameterError(f"{where}{name} is {values[name]}; give {words}")


@dataclass
class Stage:
    """One part of a run with its own data, learning rates and loss.

    Attributes:
        name: for the log and the files.
        samples: pairs seen in this stage, over all processes.
        source: "features" (cached backbone outputs), "crops" (images from a crop store, through
            the backbone), "frames" (images from frames kept on the device, see
            `data.batched`) or "datasets" (whole frames of data sets in their official layouts).
        rates: learning rate of each part as a factor on `lr`; parts not named are frozen.
        schedule: "cosine" from `lr` to `final` * `lr` after the warm-up; "paper": linear warm-up
            from `lr` / 5 over 5 of 50 epochs, then logarithmic decay to `final` * `lr`.
        warmup: steps (cosine) of linear warm-up.
        batch: pairs a step over all processes.
        micro_batch: pairs a forward pass (same gradient, less memory, and faster where the caches
            are small).
        keep: see `fast_heads.FeedForward`; 1 is exact.
        batch_norm: "frozen" or "train" (batch statistics in the parts that learn).
        reestimate: before the stage, set the BatchNorm statistics from this many pairs without
            changing what the network computes.
        units: before the stage, leave every feed-forward this many hidden units, the others zero
            (see `warm_start.narrow`); 0: as it is.
        freeze_backbone: share of the stage during which the backbone is left alone.
        fast: heads through `fast_heads` (needs frozen BatchNorm).
    """

    name: str
    samples: int
    source: Literal["features", "crops", "frames", "datasets"] = "features"
    rates: dict[str, float] = field(default_factory=lambda: {"exemplar": 1.0})
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = 7e-4
    betas: tuple[float, float] = (0.9, 0.98)
    momentum: float = 0.9
    weight_decay: float = 0.02
    schedule: Literal["cosine", "paper"] = "cosine"
    warmup: int = 100
    final: float = 0.01
    batch: int = 32
    micro_batch: int = 8
    clip: float = 5.0
    ema: float = 0.998
    keep: float = 1.0
    dropout: float = 0.0
    batch_norm: Literal["frozen", "train"] = "frozen"
    reestimate: int = 0
    units: int = 0
    freeze_backbone: float = 0.0
    fast: bool = True
    losses: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Whether the values go together; again after any was changed.

        Raises:
            ParameterError: they do not.
        """
        unknown = sorted(set(self.rates) - set(PARTS))
        if unknown:
            raise ParameterError(
                f"unknown part {unknown[0]!r} in rates; one of: {', '.join(PARTS)}"
            )
        if self.fast and self.batch_norm == "train":
            raise ParameterError("fast heads need batch_norm='frozen'; set fast=False")
        if not self.fast and (self.keep < 1 or self.dropout):
            raise ParameterError(
                f"stage {self.name!r}: keep {self.keep} and dropout {self.dropout} are of the fast "
                "heads; the network's own layers have a dropout of 0.1 and no keep. Leave both, or "
                "set fast=True"
            )
        cached = [part for part in ("stem", "backbone") if self.rates.get(part)]
        if self.source == "features" and cached:
            raise ParameterError(
                f"stage {self.name!r}: rates.{cached[0]} is {self.rates[cached[0]]}, and cached "
                "features leave it as it is; set source=crops"
            )
        where = f"stage {self.name!r}: "
        check_numbers(where, vars(self), _OF_A_STAGE)
        check_numbers(f"{where}rates.", self.rates, dict.fromkeys(self.rates, NOT_NEGATIVE))
        betas = dict(zip("01", self.betas, strict=True))
        check_numbers(f"{where}betas.", betas, dict.fromkeys(betas, _BELOW_ONE))
        if not 1 <= self.batch <= self.samples:
            raise ParameterError(
                f"stage {self.name!r}: {self.samples} samples, batch {self.batch}; a batch has at "
                "least 1 sample and a stage at least one batch"
            )

    @property
    def steps(self) -> int:
        """Optimiser steps of the stage."""
        return self.samples // self.batch


@dataclass
class Settings:
    """Everything a run depends on; written into each checkpoint as JSON.

    Attributes:
        module_name: package of the settings script (`et_tracker`).
        script_name: the settings script (`distill`).
        workspace: checkpoints, logs and curves go to `workspace/<project_path>/`.
        data: data sets.
        crops: crop store; built from `data` first where it is missing.
        features: feature cache; built likewise.
        teacher: LT-Mobile's weights.
        initial: start from these E.T.Track weights instead of the warm start.
        backbone: start the backbone alone from these weights (ImageNet, say).
        network: configuration to train (see `network.configurations`).
        precision: "float32", "bfloat16" or "float16" autocast (float16 with loss scaling).
        save_minutes: how often, by the clock, a checkpoint is written.
        validate_minutes: how often validation IoU is measured.
        snapshot_minutes: how often the averaged weights are kept under their own name.
        record_steps: optimiser steps between two records of the log.
        max_minutes: stop (resumably) after so long; 0: when all stages are done.
        constants: tracker constants stored with the exported weights.
        overrides: `name=value` assignments applied over the settings script's own (see `override`).
    """

    module_name: str = "et_tracker"
    script_name: str = "distill"
    workspace: Path = Path("training")
    data: Path | None = None
    crops: Path | None = None
    features: Path | None = None
    teacher: Path | None = None
    initial: Path | None = None
    backbone: Path | None = None
    network: str = "et_tracker"
    use_gpu: bool = True
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    threads: int = 0
    num_workers: int = 0
    seed: int = 0
    save_minutes: float = 3.0
    validate_minutes: float = 15.0
    snapshot_minutes: float = 30.0
    record_steps: int = 20
    validation_pairs: int = 256
    warm_start_pairs: int = 640
    max_minutes: float = 0.0
    fresh: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    license_note: str = ""
    overrides: list[str] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    @property
    def project_path(self) -> str:
        """`ltr/MODULE/NAME`, as pytracking names its projects."""
        return f"ltr/{self.module_name}/{self.script_name}"

    @property
    def folder(self) -> Path:
        """Where this run writes."""
        return Path(self.workspace) / self.project_path

    def check(self) -> None:
        """Whether the values go together, those of the stages too.

        Raises:
            ParameterError: they do not.
        """
        check_numbers("", vars(self), _OF_A_RUN)
        Parameters.from_fields(self.constants)
        for stage in self.stages:
            stage.check()

    def to_json(self) -> str:
        """All settings, for the checkpoint and the log."""
        return json.dumps(dataclasses.asdict(self), default=str, indent=1, sort_keys=True)


def apply_overrides(settings: Settings, stages: bool = True) -> None:
    """Apply `settings.overrides` (again) and check what comes of it.

    Args:
        stages: also those of stages; False: only those of the run, before there are stages.

    Raises:
        ParameterError: no such setting, or a value it cannot have.
    """
    for assignment in settings.overrides:
        if stages or not assignment.startswith("stages."):
            override(settings, assignment)
    settings.check()


def override(settings: Any, assignment: str) -> None:
    """Apply `name=value` (value in JSON, or a bare word) to a dataclass; `stages.0.lr=1e-3` works.

    Raises:
        ParameterError: no such setting, not of the form name=value, or a value of another type.
    """
    name, equals, text = assignment.partition("=")
    if not equals:
        raise ParameterError(f"setting {assignment!r} is not of the form name=value")
    *path, last = name.split(".")
    target = settings
    for part in path:
        try:
            target = target[int(part)] if isinstance(target, list) else getattr(target, part)
        except (AttributeError, IndexError, ValueError) as error:
            raise ParameterError(f"no setting {name!r}: {part!r} is not there") from error
    if isinstance(target, LossWeights) or last == "losses":
        raise ParameterError(f"{name!r}: the loss is set in the settings script")
    if isinstance(target, dict):
        # Of `rates` or `constants`; names of parts are checked with the stage.
        target[last] = _fitting(name, text, float if path[-1] == "rates" else Any)
    elif dataclasses.is_dataclass(target) and last in (hints := get_type_hints(type(target))):
        setattr(target, last, _fitting(name, text, hints[last]))
    elif dataclasses.is_dataclass(target):
        known = ", ".join(f.name for f in dataclasses.fields(target))
        raise ParameterError(f"no setting {name!r}; here are: {known}")
    else:
        raise ParameterError(f"no setting {name!r}: {last!r} is not there")


def value_of(text: str) -> Any:
    """What a word of a command line says in JSON; else the word itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or numbers and brackets without end
        return text


def _fitting(name: str, text: str, kind: Any) -> Any:
    """The value written as `text`, of the annotated type `kind`.

    Raises:
        ParameterError: it is no such value.
    """
    value = value_of(text)
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if kind is Path or Path in inner:
        # A folder may be called "4"; "null" unsets what need not be set.
        if value is None and kind is not Path:
            return None
        if text and value is not None:
            return Path(text if isinstance(value, int | float | bool) else str(value))
        raise ParameterError(f"{name}={text}: give a path")
    if origin is Literal:
        if value in inner:
            return value
        raise ParameterError(f"{name}={text}: one of {', '.join(map(str, inner))}")
    if origin is tuple:
        if _is_list(value, inner[0]) and len(value) == len(inner):
            return tuple(value)
        raise ParameterError(f"{name}={text}: give {len(inner)} numbers, such as [0.9, 0.98]")
    if origin is dict:
        if isinstance(value, dict) and (inner[1] is Any or _is_list([*value.values()], inner[1])):
            return value
        raise ParameterError(f'{name}={text}: give names and values, such as {{"neck": 0.5}}')
    if kind not in _WORDS:
        raise ParameterError(f"{name}={text}: only its parts can be set, such as stages.0.lr=1e-4")
    if not _is(value, kind):
        raise ParameterError(f"{name}={text}: give {_WORDS[kind]}")
    return value


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _is(value: Any, kind: type) -> bool:
    """Whether a JSON value is of a type; whole numbers are numbers, true and false are not."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def _is_list(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(_is(value, kind) for value in values)
