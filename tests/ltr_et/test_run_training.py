import json
import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from ltr_et import run_training, train_settings
from ltr_et.data.build_crops import HELD_OUT, is_held_out
from ltr_et.jsonl import read as read_log
from ltr_et.settings import Settings
from ltr_et.train_settings import et_tracker
from ltr_et.train_settings.sources import CLIPS, SOURCE, prepare, write_clips
from ltr_et.training import launch
from ltr_et.training.optimizer import rate_at
from ltr_et.warm_start import active_units
from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError, ParameterError

from .networks import randomised

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("module, name", [("et_tracker", "distil"), ("et", "distill")])
def test_unknown_settings_script_lists_what_there_is(module, name):
    known = "et_tracker distill, et_tracker large, et_tracker narrow, et_tracker paper"
    with pytest.raises(ParameterError, match=known):
        run_training.run_training(module, name, Settings())


def test_a_settings_script_of_ones_own_is_found(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "fast.py").write_text("def run(settings):\n    return False\n")
    monkeypatch.setattr(train_settings, "__path__", [*train_settings.__path__, str(tmp_path)])
    settings = Settings()
    assert run_training.run_training("mine", "fast", settings) is False
    assert (settings.module_name, settings.script_name) == ("mine", "fast")
    with pytest.raises(ParameterError, match="no training settings 'mine' 'slow'"):
        run_training.run_training("mine", "slow", Settings())


def test_command_line_reaches_the_settings(tmp_path):
    options = run_training.parse(
        ["et_tracker", "distill", "--workspace", str(tmp_path), "--threads", "2", "--cpu",
         "--set", "seed=4", "--set", "stages.0.lr=1", "--max-minutes", "1.5"]
    )  # fmt: skip
    settings = run_training.settings_from(options)
    assert (settings.workspace, settings.threads, settings.max_minutes) == (tmp_path, 2, 1.5)
    assert not settings.use_gpu
    assert settings.overrides == ["seed=4", "stages.0.lr=1"]


def test_a_mistake_is_one_line_and_code_2(capsys):
    assert run_training.main(["et_tracker", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("ltr_et.run_training: error: no training settings")


def test_no_teacher(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_SHARED", str(tmp_path / "absent"))
    with pytest.raises(CheckpointError, match="--teacher"):
        et_tracker.distill(Settings(workspace=tmp_path))


@pytest.mark.parametrize("recipe", [et_tracker.refine, et_tracker.narrow])
def test_weights_to_start_from_are_needed(recipe):
    with pytest.raises(CheckpointError, match="--initial"):
        recipe(Settings())


def test_narrow_refuses_weights_of_another_network(tmp_path, pack):
    initial = tmp_path / "s2.safetensors"
    net = network.build("et_s2")
    network.weights.save(initial, net.state_dict(), {"network": "et_s2"}, half=False)
    settings = Settings(workspace=tmp_path / "work", use_gpu=False, initial=initial, data=pack)
    with pytest.raises(CheckpointError, match="weights of network et_s2, .*--set network=et_s2"):
        et_tracker.narrow(settings)


@pytest.mark.slow
def test_narrow_writes_a_file_that_loads(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(launch, "_NARROW_PAIRS", 16)
    initial = tmp_path / "full.safetensors"
    full = randomised("et_tracker").state_dict()
    network.weights.save(initial, full, {"samples": "7"}, half=False)
    settings = Settings(
        workspace=tmp_path / "work", script_name="narrow", use_gpu=False, initial=initial,
        data=pack, overrides=["stages.0.units=32"],
    )  # fmt: skip
    assert et_tracker.narrow(settings)
    net = network.build("et_tracker")
    texts = network.weights.load(net, settings.folder / "final.safetensors")
    assert (texts["samples"], texts["recipe"]) == ("7", "ltr/et_tracker/narrow")
    assert active_units(net.cls_branch_3) == 32
    name = "backbone_net.blocks.0.0.bn1.running_mean"
    torch.testing.assert_close(net.state_dict()[name], full[name], rtol=1e-3, atol=1e-4)


def test_no_data(tmp_path, monkeypatch, teacher):
    monkeypatch.setenv("PYTRACKING_ET_SHARED", str(tmp_path / "absent"))
    with pytest.raises(DatasetError, match="--data"):
        et_tracker.distill(Settings(workspace=tmp_path, teacher=teacher))


@pytest.mark.parametrize("name", ["teacher", "initial", "backbone"])
def test_weights_that_are_not_there_are_told_before_anything_is_built(tmp_path, pack, name):
    settings = Settings(workspace=tmp_path / "work", data=pack)
    setattr(settings, name, tmp_path / "absent.npz")
    with pytest.raises(CheckpointError, match=f"weights at .*absent.npz; .*--{name}"):
        prepare(settings)
    assert not settings.workspace.exists()


def test_paper_is_the_specification():
    stage = et_tracker.published()
    factors = [rate_at(stage, round(stage.steps * epoch / 50)) for epoch in (0, 5, 50)]
    assert [stage.lr * factor for factor in factors] == pytest.approx([2e-2, 1e-1, 2e-4], rel=1e-3)
    assert (stage.optimizer, stage.momentum, stage.weight_decay) == ("sgd", 0.9, 1e-4)
    assert stage.freeze_backbone * 50 == pytest.approx(10)
    assert stage.losses.radius == 2
    assert stage.losses.at(0.0)["distill_cls"] == stage.losses.at(0.0)["hint"] == 0


def test_paper_without_data_sets(tmp_path):
    with pytest.raises(DatasetError, match="none of lasot"):
        et_tracker.paper(Settings(workspace=tmp_path, data=tmp_path))


def test_some_rendered_clips_are_for_validation():
    clips = [f"clip{number:03d}" for number in range(CLIPS)]
    held_out = [clip for clip in clips if is_held_out(SOURCE, clip, HELD_OUT)]
    assert 2 <= len(held_out) <= CLIPS // 5


def test_rendered_clips_are_written_once(tmp_path):
    root = write_clips(tmp_path, clips=2, frames=4, every=3)
    table = root / "video" / "rendered" / "annotations.csv"
    lines = table.read_text().splitlines()
    assert lines[0] == "track,frame,x,y,w,h"
    assert len(lines) == 1 + 2 * 4
    assert len(list((root / "video" / "rendered").glob("*/*.jpg"))) == 8
    before = table.stat().st_mtime_ns
    write_clips(tmp_path, clips=5)
    assert table.stat().st_mtime_ns == before


def small(recipe, stages, tmp_path, **values):
    """Settings of a recipe with every stage cut to two steps of two pairs."""
    names = ("samples=4", "batch=2", "micro_batch=0", "reestimate=16")
    overrides = [f"stages.{n}.{item}" for n in range(stages) for item in names]
    overrides += ["warm_start_pairs=16", "validation_pairs=4", "record_steps=1"]
    return Settings(
        workspace=tmp_path / "work", script_name=recipe.__name__, use_gpu=False,
        overrides=overrides, **values,
    )  # fmt: skip


@pytest.mark.slow
def test_distill_from_a_pack_to_a_file_that_loads(tmp_path, pack, teacher, monkeypatch):
    monkeypatch.setattr(et_tracker, "prepare", partial(prepare, views=16))
    settings = small(et_tracker.distill, 3, tmp_path, data=pack, teacher=teacher)
    assert et_tracker.distill(settings)
    path = settings.folder / "final.safetensors"
    texts = network.weights.load(network.build("et_tracker"), path)
    assert texts["network"] == "et_tracker"
    assert texts["recipe"] == "ltr/et_tracker/distill"
    assert (texts["samples"], texts["parameters"]) == ("12", "{}")
    assert "commercial" in texts["license"]
    assert path.stat().st_size < 20 * 2**20
    values = [
        r["Loss/total"] for r in read_log(settings.folder / "log.jsonl") if r["kind"] == "train"
    ]
    assert len(values) == 6
    assert all(math.isfinite(value) for value in values)


@pytest.mark.slow
def test_smoke_without_any_data(tmp_path):
    arguments = ["et_tracker", "smoke", "--workspace", str(tmp_path), "--cpu", "--threads", "1"]
    for item in ("samples=8", "batch=4"):
        arguments += ["--set", f"stages.0.{item}"]
    arguments += ["--set", "validation_pairs=4"]
    environment = {**os.environ, "PYTRACKING_ET_SHARED": str(tmp_path / "absent")}
    command = [sys.executable, "-m", "ltr_et.run_training", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("finished")
    folder = tmp_path / "ltr" / "et_tracker" / "smoke"
    texts = network.weights.metadata(folder / "final.safetensors")
    assert json.loads(texts["parameters"]) == {}
    assert [r["kind"] for r in read_log(folder / "log.jsonl")].count("validation") == 2


@pytest.fixture
def stages_of(monkeypatch):
    """Stages of a recipe, which is not run."""
    monkeypatch.setattr(et_tracker, "prepare", lambda settings: None)
    monkeypatch.setattr(et_tracker, "train", lambda settings: True)

    def stages(recipe):
        settings = Settings(initial=Path("weights.safetensors"))
        assert recipe(settings)
        return settings.stages

    return stages


def test_distill_imitates_first_and_lets_the_ground_truth_win(stages_of):
    heads, everything, _ = stages_of(et_tracker.distill)
    assert heads.losses.at(0.0)["hint"] == 1.0
    assert heads.units < 1024
    assert everything.losses.at(1.0)["distill_cls"] <= 0.1


@pytest.mark.parametrize("recipe", [et_tracker.distill, et_tracker.refine])
def test_the_last_stage_touches_everything_and_keeps_the_teacher(recipe, stages_of):
    statistics = stages_of(recipe)[-1]
    assert set(statistics.rates) == set(et_tracker.ALL) >= {"stem", "backbone", "neck", "fusor"}
    assert statistics.reestimate > 0
    assert statistics.losses.at(1.0)["distill_cls"] == 0.5
