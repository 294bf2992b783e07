"""A checkpoint goes on only under the settings that made it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ltr_et.settings import Settings, Stage
from ltr_et.training import checkpoint
from ltr_et.training.checkpoint import TrainingError, check

PATH = Path("latest.pth")


@pytest.fixture
def files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "copy_of_a").write_bytes(b"a")
    return tmp_path


def settings(files, **values):
    stages = values.pop("stages", None) or [Stage("one", 64), Stage("two", 64)]
    values = {"initial": files / "a"} | values
    return Settings(stages=stages, **values)


def state(made, stage=0):
    return {"stage": stage, "settings": made.to_json(), "digests": checkpoint.digests(made)}


@pytest.mark.parametrize(
    ("change", "stage", "message"),
    [
        ({"seed": 3}, 0, "seed: 0 -> 3"),
        ({"network": "et_conv"}, 0, "network: 'et_tracker' -> 'et_conv'"),
        ({"initial": "b"}, 0, "initial: '.*a' -> '.*b'"),
        ({"initial": None}, 0, "initial: '.*a' -> 'None'"),
        ({"teacher": "b"}, 0, "teacher: None -> '.*b'"),
        ({"backbone": "b"}, 0, "backbone: None -> '.*b'"),
        ({"stages": [Stage("one", 96), Stage("two", 64)]}, 0, "stages.0.samples: 64 -> 96"),
        ({"stages": [Stage("one", 64, lr=1), Stage("two", 64)]}, 1, "stages.0.lr: 0.0007 -> 1"),
        ({"stages": [Stage("one", 64), Stage("two", 96)]}, 2, "stages.1.samples: 64 -> 96"),
        ({"stages": [Stage("one", 64)]}, 1, r"stages: \['one', 'two'\] -> \['one'\]"),
        ({"stages": [Stage(n, 64) for n in ("one", "two", "three")]}, 2, "'two', 'three'"),
    ],
)
def test_another_run_is_refused(files, change, stage, message):
    paths = {n: files / v for n, v in change.items() if n in checkpoint.FILES and v is not None}
    with pytest.raises(TrainingError, match=f"{message}.*--fresh.*--workspace"):
        check(state(settings(files), stage), settings(files, **change | paths), PATH)


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({}, 2),
        ({"precision": "bfloat16", "threads": 2, "max_minutes": 9.0}, 0),
        ({"initial": "copy_of_a"}, 0),
        # What a loss that is not finite asks for.
        ({"stages": [Stage("one", 64, lr=1, clip=1), Stage("two", 64)]}, 0),
        # Not begun.
        ({"stages": [Stage("one", 64), Stage("other", 96)]}, 0),
    ],
)
def test_the_same_run_goes_on(files, change, stage):
    paths = {n: files / v for n, v in change.items() if n in checkpoint.FILES}
    check(state(settings(files), stage), settings(files, **change | paths), PATH)


def test_checkpoints_of_earlier_versions(files):
    """No digests, and stages with fewer or other fields."""
    old = state(settings(files))
    del old["digests"]
    check(old, settings(files, initial=files / "copy_of_a"), PATH)
    with pytest.raises(TrainingError, match="initial"):
        check(old, settings(files, initial=files / "b"), PATH)
    (files / "a").unlink()
    check(old, settings(files, initial=files / "b"), PATH)
    content = json.loads(old["settings"])
    del content["seed"], content["backbone"], content["stages"][0]["units"]
    content["stages"][0]["gone"] = 1
    later = settings(files, seed=5, initial=files / "b", backbone=files / "b")
    check({**old, "settings": json.dumps(content)}, later, PATH)
    check({"stage": 0}, later, PATH)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("pos 0\nx")]
)
def test_a_full_disk_is_told_and_leaves_the_last_checkpoint(tmp_path, monkeypatch, error):
    path = tmp_path / "latest.pth"
    checkpoint.save(path, {"step": 1})

    def fail(state, temporary):
        temporary.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(TrainingError, match=r"\((.*No space left.*|pos 0)\); is the disk full"):
        checkpoint.save(path, {"step": 2})
    assert [one.name for one in tmp_path.iterdir()] == ["latest.pth"]
    assert checkpoint.load(path)["step"] == 1
