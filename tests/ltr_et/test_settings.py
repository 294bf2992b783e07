import re
from pathlib import Path

import pytest

from ltr_et.settings import Settings, Stage, apply_overrides, override
from pytracking_et.errors import ParameterError


@pytest.mark.parametrize(
    ("assignment", "read", "expected"),
    [
        ("seed=3", lambda s: s.seed, 3),
        ("crops=/data/crops", lambda s: s.crops, Path("/data/crops")),
        ("precision=bfloat16", lambda s: s.precision, "bfloat16"),
        ("stages.1.lr=1e-4", lambda s: s.stages[1].lr, 1e-4),
        ("stages.0.rates.neck=0.5", lambda s: s.stages[0].rates["neck"], 0.5),
        ('stages.0.rates={"neck": 1}', lambda s: s.stages[0].rates, {"neck": 1}),
        ("stages.0.betas=[0.8, 0.9]", lambda s: s.stages[0].betas, (0.8, 0.9)),
        ("stages.0.lr=1", lambda s: s.stages[0].lr, 1),
        ("use_gpu=false", lambda s: s.use_gpu, False),
        ("constants.lr=0.6", lambda s: s.constants, {"lr": 0.6}),
        ("crops=4", lambda s: s.crops, Path("4")),
        ("initial=null", lambda s: s.initial, None),
    ],
)
def test_override(assignment, read, expected):
    settings = Settings(stages=[Stage("a", 64), Stage("b", 64)])
    override(settings, assignment)
    assert read(settings) == expected


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seed", "name=value"),
        ("sede=3", "no setting 'sede'; here are: .*seed"),
        ("stages.0.learning_rate=1", "here are: .*lr"),
        ("stages.0.losses.cls=2", "settings script"),
        ("stages.5.lr=1", "stages.5.lr"),
        ("nothing.lr=1", "nothing.lr"),
    ],
)
def test_override_of_what_is_not_there(assignment, message):
    with pytest.raises(ParameterError, match=message):
        override(Settings(stages=[Stage("a", 64)]), assignment)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("precision=bf16", "precision=bf16: one of float32, bfloat16, float16"),
        ("stages.0.source=images", "one of features, crops, frames, datasets"),
        ("stages.0.lr=fast", "stages.0.lr=fast: give a number"),
        ("stages.0.lr=true", "give a number"),
        ("stages.0.rates.neck=much", "give a number"),
        ("stages.0.samples=1e4", "stages.0.samples=1e4: give a whole number"),
        ("use_gpu=1", "give true or false"),
        ("license_note=3", "give text"),
        ("stages.0.betas=0.9", "give 2 numbers"),
        ("stages.0.rates=[1]", "give names and values"),
        ("workspace=null", "give a path"),
        ("stages=[]", "only its parts"),
        ("stages.0=1", "'0' is not there"),
    ],
)
def test_override_with_another_type(assignment, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        override(Settings(stages=[Stage("a", 64)]), assignment)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("stages.0.samples=10", "10 samples, batch 32"),
        ("stages.0.batch=0", "batch 0"),
        ("stages.0.rates.backbon=0.5", "unknown part 'backbon'"),
        ("stages.0.batch_norm=train", "fast=False"),
        ("stages.0.fast=false", "keep 0.5"),
        ("stages.0.clip=-1", "stage 'a': clip is -1; give 0 or more"),
        ("stages.0.micro_batch=-8", "micro_batch is -8"),
        ("stages.0.lr=NaN", "lr is nan"),
        ("stages.0.ema=1", "ema is 1; give 0 or more and less than 1"),
        ("stages.0.keep=0", "keep is 0; give more than 0, at most 1"),
        ("stages.0.rates.neck=-1", "rates.neck is -1"),
        ("stages.0.betas=[0.9, 1]", "betas.1 is 1"),
        ("stages.0.rates.backbone=0.1", "cached features leave it as it is; set source=crops"),
    ],
)
def test_overrides_are_checked_together(assignment, message):
    settings = Settings(stages=[Stage("a", 64, keep=0.5)], overrides=[assignment])
    apply_overrides(settings, stages=False)
    with pytest.raises(ParameterError, match=message):
        apply_overrides(settings)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seed=-1", "seed is -1; give 0 to 2"),
        ("seed=18446744073709551616", "seed is 18446744073709551616; give 0 to"),
        ("threads=-1", "threads is -1"),
        ("max_minutes=-5", "max_minutes is -5"),
        ("record_steps=0", "record_steps is 0; give 1 or more"),
        ("constants.penalty=0.1", "'penalty'; did you mean 'penalty_k'"),
        ("constants.lr=2", "lr is 2; it must lie in 0..1"),
    ],
)
def test_overrides_of_a_run_are_checked_before_its_stages_are_known(assignment, message):
    with pytest.raises(ParameterError, match=message):
        apply_overrides(Settings(overrides=[assignment]), stages=False)


def test_the_order_of_overrides_does_not_matter():
    settings = Settings(
        stages=[Stage("a", 64)], overrides=["stages.0.samples=8", "stages.0.batch=4"]
    )
    apply_overrides(settings)
    assert settings.stages[0].steps == 2


def test_an_impossible_stage():
    with pytest.raises(ParameterError, match="8 samples, batch 32"):
        Stage("s", 8)


def test_project_path_is_pytrackings():
    settings = Settings(script_name="paper", workspace=Path("w"))
    assert settings.project_path == "ltr/et_tracker/paper"
    assert settings.folder == Path("w/ltr/et_tracker/paper")
    assert '"script_name": "paper"' in settings.to_json()
