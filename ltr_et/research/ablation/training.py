"""Train one row of a table: the same data, schedule and loss for every configuration.

Rows with LT-Mobile's backbone start with its trained backbone, neck and correlation, which stay as
they are (the correlation learns slowly); their towers start from random weights, the convolutional
ones too, since LT-Mobile's own have seen a thousand times any budget here. Other backbones start
from given weights or from random ones, and learn. Ground truth only, no teacher's outputs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from pytracking_et import network
from pytracking_et.errors import CheckpointError, ParameterError
from pytracking_et.files import read_json, write_json

from ... import jsonl
from ...actors import LossWeights
from ...settings import PARTS, Settings, Stage
from ...training.distributed import group
from ...training.launch import Launch, load_backbone
from ...warm_start import student_name

log = logging.getLogger(__name__)

BATCH = 8
LR = 1e-3
# Half the side of a typical target in strides: 64 px of a search crop.
BOX_BIAS = 2.0
# The parts that LT-Mobile gives to the rows with its backbone.
_GIVEN = ("backbone_net.", "neck.", "feature_fusor.")


@dataclass(frozen=True)
class Recipe:
    """What all rows share.

    Attributes:
        pairs: that each row sees.
        output: checkpoints go to `output/training/ltr/ablation/`.
        crops: crop store.
        features: cache of LT-Mobile's backbone features (optional, much faster for rows with that
            backbone).
        teacher: LT-Mobile's weights.
        backbones: backbone name -> weights it starts from.
        batch: pairs of a step.
    """

    pairs: int
    output: Path
    crops: Path
    teacher: Path
    features: Path | None = None
    backbones: dict[str, Path] = field(default_factory=dict)
    threads: int = 0
    batch: int = BATCH


@dataclass(frozen=True)
class Trained:
    """A row after training.

    Attributes:
        weights: file of the averaged ones.
        minutes: of training.
        start: where the weights started.
        last_loss: mean over the last steps that were logged.
    """

    weights: Path
    minutes: float
    start: str
    last_loss: float | None = None


def train_row(configuration: str, seed: int, recipe: Recipe) -> Trained:
    """Train a configuration, or go on where it was stopped, or return what is finished.

    Raises:
        CheckpointError: weights that are missing.
        DatasetError: data that are missing.
        ParameterError: the folder holds the same row trained with other inputs, or a negative seed.
    """
    settings = _settings(configuration, seed, recipe)
    settings.check()
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    with group(use_gpu=True) as processes:
        settings.stages = [_stage(configuration, recipe)]
        launch = RowLaunch(settings, processes, recipe)
        _check_inputs(settings, recipe)
        weights = weights_of(configuration, seed, recipe)
        trainer = launch.trainer()
        if not (weights.is_file() and trainer.stage_number):
            log.info("training %s, seed %d: %d pairs", configuration, seed, recipe.pairs)
            trainer.run()
    start = start_of(configuration, recipe)
    return Trained(weights, trainer.seconds / 60, start, last_loss(settings.folder))


def weights_of(configuration: str, seed: int, recipe: Recipe) -> Path:
    """File of a finished row's averaged weights."""
    return _settings(configuration, seed, recipe).folder / "final.safetensors"


def backbone_of(configuration: str) -> str:
    """Name of a configuration's backbone."""
    return str(network.configuration(configuration).options.get("backbone", "lt_mobile"))


def is_given(configuration: str) -> bool:
    """Whether a configuration has LT-Mobile's backbone."""
    return backbone_of(configuration) == "lt_mobile"


def source_of(configuration: str, recipe: Recipe) -> Literal["features", "crops"]:
    """What a row learns from: each source gives other pairs in another order."""
    return "features" if is_given(configuration) and recipe.features is not None else "crops"


def asked_start(configuration: str, recipe: Recipe) -> str | None:
    """Where a row starts by the weights named for its backbone; None where none are."""
    path = recipe.backbones.get(backbone_of(configuration))
    return None if path is None or is_given(configuration) else f"backbone from {path.name}"


def start_of(configuration: str, recipe: Recipe) -> str:
    """Where a row's weights come from, for the table's note."""
    if is_given(configuration):
        return "LT-Mobile's backbone and correlation, frozen backbone"
    return asked_start(configuration, recipe) or "backbone from random weights"


def _settings(configuration: str, seed: int, recipe: Recipe) -> Settings:
    return Settings(
        module_name="ablation", script_name=f"{configuration}_{recipe.pairs}pairs_seed{seed}",
        workspace=recipe.output / "training", crops=recipe.crops, features=recipe.features,
        network=configuration, seed=seed, threads=recipe.threads, save_minutes=1.0,
        validate_minutes=0.0, snapshot_minutes=0.0, validation_pairs=0, record_steps=10,
        license_note="Row of an ablation, trained for minutes; not meant for use",
    )  # fmt: skip


def _stage(configuration: str, recipe: Recipe) -> Stage:
    given = is_given(configuration)
    rates = {"exemplar": 1.0, "separable": 1.0, "prediction": 1.0, "fusor": 0.1}
    return Stage(
        "ablation", max(1, recipe.pairs // recipe.batch) * recipe.batch,
        source=source_of(configuration, recipe),
        rates=rates if given else dict.fromkeys(PARTS, 1.0), lr=LR, weight_decay=0.0,
        warmup=min(100, recipe.pairs // recipe.batch // 10), batch=recipe.batch, micro_batch=0,
        ema=0.998, batch_norm="train", fast=False, losses=LossWeights(),
    )  # fmt: skip


def _check_inputs(settings: Settings, recipe: Recipe) -> None:
    """Refuse to go on with a training that was begun with other inputs."""
    path = settings.folder / "plan.json"
    inputs = {
        "crops": str(recipe.crops),
        "features": str(recipe.features),
        "start": start_of(settings.network, recipe),
        "batch": recipe.batch,
    }
    if not path.is_file():
        write_json(path, inputs)
        return
    stored = read_json(path, ParameterError, "delete the folder, or give another --output")
    changed = [name for name, value in inputs.items() if stored.get(name) != value]
    if changed:
        raise ParameterError(
            f"{settings.folder} holds this row with {changed[0]} {stored.get(changed[0])!r}, now "
            f"it is {inputs[changed[0]]!r}; give another --output, or delete the folder"
        )


def last_loss(folder: Path) -> float | None:
    """Last loss in a training's log; None where there is none."""
    losses = [r["Loss/total"] for r in jsonl.read(folder / "log.jsonl") if "Loss/total" in r]
    return round(losses[-1], 4) if losses else None


class RowLaunch(Launch):
    """A launch whose network starts as the module's docstring says."""

    def __init__(self, settings: Settings, processes: Any, recipe: Recipe) -> None:
        super().__init__(settings, processes)
        self.recipe = recipe

    def _start(self, net: Any) -> None:
        # Near zero, as it would start, the ReLU behind it is dead for half of the cells.
        nn.init.constant_(net.reg_pred_head.bbox_pred.bias, BOX_BIAS)
        backbone = backbone_of(self.settings.network)
        if is_given(self.settings.network):
            copy_given(net, self.recipe.teacher)
        elif backbone in self.recipe.backbones:
            load_backbone(net, self.recipe.backbones[backbone])


def copy_given(net: nn.Module, teacher: Path) -> None:
    """Copy backbone, neck and correlation from LT-Mobile's weights into a network.

    Raises:
        CheckpointError: a tensor of these parts is not in the file.
    """
    source = network.build("lt_mobile")
    network.weights.load(source, teacher)
    given = {student_name(name): value for name, value in source.state_dict().items()}
    own = net.state_dict()
    wanted = [name for name in own if name.startswith(_GIVEN)]
    absent = [name for name in wanted if name not in given]
    if absent:
        raise CheckpointError(f"{teacher} has nothing for {absent[0]!r} ({len(absent)} in all)")
    net.load_state_dict({name: given[name] for name in wanted}, strict=False)
