from pathlib import Path

import pytest

from ltr_et.settings import Settings, Stage, override
from pytracking_et.errors import ParameterError


@pytest.mark.parametrize(
    ("assignment", "read", "expected"),
    [
        ("seed=3", lambda s: s.seed, 3),
        ("crops=/data/crops", lambda s: s.crops, Path("/data/crops")),
        ("precision=bfloat16", lambda s: s.precision, "bfloat16"),
        ("stages.1.lr=1e-4", lambda s: s.stages[1].lr, 1e-4),
        ("stages.0.rates.neck=0.5", lambda s: s.stages[0].rates["neck"], 0.5),
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
    ("values", "message"),
    [
        ({"rates": {"head": 1.0}}, "unknown part 'head'"),
        ({"batch_norm": "train"}, "fast=False"),
        ({"samples": 8}, "8 samples, batch 32"),
    ],
)
def test_impossible_stages(values, message):
    with pytest.raises(ParameterError, match=message):
        Stage(**{"name": "s", "samples": 64} | values)


def test_project_path_is_pytrackings():
    settings = Settings(script_name="paper", workspace=Path("w"))
    assert settings.project_path == "ltr/et_tracker/paper"
    assert settings.folder == Path("w/ltr/et_tracker/paper")
    assert '"script_name": "paper"' in settings.to_json()
