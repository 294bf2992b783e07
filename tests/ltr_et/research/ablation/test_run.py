"""A row from crops to a table, and again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ltr_et.research.ablation import run
from ltr_et.research.ablation.__main__ import main
from ltr_et.research.ablation.training import Recipe, Trained, copy_given, train_row
from ltr_et.training.launch import load_backbone
from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError, ParameterError
from tests.evaluation.fakes import write_otb


def write_sequences(folder):
    """The sets with one sequence, as WTRACK; returns the sets' folder."""
    write_otb(folder / "WTRACK", ("Clip", 4, 20.0))
    return folder


def test_rows_start_with_the_teachers_parts_and_towers_of_their_own(teacher):
    torch.manual_seed(1)
    net = network.build("et_conv")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    copy_given(net, teacher)
    source, _ = network.weights.read(teacher)
    after = net.state_dict()
    stem = after["backbone_net.conv_stem.weight"]
    torch.testing.assert_close(stem, source["backbone_net.conv_stem.weight"].float())
    name = "cls_branch_2.pointwise.weight"
    assert torch.equal(after[name], before[name])


def test_backbones_start_from_a_classifier(tmp_path):
    torch.manual_seed(0)
    net = network.build("resnet18_conv")
    backbone = net.backbone_net
    state = {n: torch.full_like(v, 2) for n, v in backbone.state_dict().items() if "adapt" not in n}
    path = tmp_path / "classifier.pth"
    torch.save({**state, "fc.weight": torch.zeros(10, 512)}, path)
    adapt = backbone.adapt.weight.clone()
    load_backbone(net, path)
    assert (backbone.conv1.weight == 2).all()
    assert torch.equal(backbone.adapt.weight, adapt)
    with pytest.raises(CheckpointError, match="lack .* names than torchvision"):
        load_backbone(network.build("mobilenet_v3_conv"), path)


def test_a_negative_seed_is_refused_before_anything_is_read(tmp_path):
    recipe = Recipe(8, tmp_path, crops=tmp_path / "none", teacher=tmp_path / "none")
    with pytest.raises(ParameterError, match="seed is -1; give 0 to 2"):
        train_row("et_conv", -1, recipe)


def test_mistakes_are_found_before_the_night(tmp_path, teacher, capsys):
    command = ["components", "--output", str(tmp_path)]
    assert main([*command, "--engine", "opnvino"]) == 2
    assert "opnvino" in capsys.readouterr().err
    assert main([*command, "--sequences", "/nowhere"]) == 2
    assert "no folder /nowhere" in capsys.readouterr().err
    assert main(["components", "scaling"]) == 2
    capsys.readouterr()
    data = ["--data", str(tmp_path / "absent"), "--teacher", str(teacher), "--groups"]
    assert main([*command, *data]) == 2
    assert "no crop store at" in capsys.readouterr().err
    for option in ("--pairs", "--batch", "--threads"):
        assert main(["components", option, "0"]) == 2
        assert f"{option} is 0; give 1 or more" in capsys.readouterr().err
    assert main(["scaling", "--threads", "0"]) == 2
    assert "--threads is 0; give 1 or more" in capsys.readouterr().err
    for name in ("resnet_18", "lt_mobile"):
        file = ["--backbone", f"{name}={teacher}", "--groups"]
        assert main(["backbones", *file, "--output", str(tmp_path)]) == 2
        assert "one of mobilenet_v3, resnet18, shufflenet_v2" in capsys.readouterr().err
    assert main(["backbones", "--backbone", "resnet18=~nobody-here/w.pth", "--groups"]) == 2
    assert "~nobody-here" in capsys.readouterr().err


@pytest.mark.slow
def test_a_row_is_trained_once_and_told_from_others(tmp_path, teacher, store_folder):
    recipe = Recipe(48, tmp_path, store_folder, teacher)
    first = train_row("et_conv", 0, recipe)
    assert first.last_loss > 0
    stamp = first.weights.stat().st_mtime_ns
    assert train_row("et_conv", 0, recipe) == first
    assert first.weights.stat().st_mtime_ns == stamp
    other = Recipe(48, tmp_path, store_folder / ".." / "crops", teacher)
    with pytest.raises(ParameterError, match="with crops"):
        train_row("et_conv", 0, other)


@pytest.mark.slow
def test_the_command_writes_the_table_and_goes_on_from_the_log(
    tmp_path, teacher, store_folder, capsys
):
    root = write_sequences(tmp_path / "sequences")
    out = tmp_path / "out"
    command = ["components", "--rows", "Conv", "--pairs", "16", "--engine", "torch"]
    command += ["--sequences", str(root), "--crops", str(store_folder), "--teacher", str(teacher)]
    command += ["--output", str(out)]
    # Trained where there is an accelerator, evaluated elsewhere.
    assert main([*command, "--groups"]) == 0
    assert not (out / "log.jsonl").exists()
    command += ["--groups", "wtrack"]
    assert main(command) == 0
    content = json.loads((out / "components.json").read_text("utf-8"))
    rows = {row["row"]["label"]: row for row in content["rows"]}
    assert 0 <= rows["Conv"]["auc"]["wtrack"][0] <= 100
    assert rows["Conv"]["auc"]["mean"] == rows["Conv"]["auc"]["wtrack"]
    assert rows["Conv"]["cost"]["macs"] > 5e8
    assert rows["Attention"]["seeds"] == []
    assert "not run yet: Attention" in content["note"]
    assert "16 pairs" in capsys.readouterr().out
    assert main([*command, "--measure"]) == 0
    # Another machine has the log alone, and trains no row that is in it.
    shutil.rmtree(out / "training")
    assert main(command) == 0
    assert not list((out / "training").rglob("*.safetensors"))
    again = json.loads((out / "components.json").read_text("utf-8"))["rows"][0]
    assert again["auc"] == rows["Conv"]["auc"]
    assert again["cost"]["latency_ms"] > 0


@pytest.fixture
def plan(tmp_path, monkeypatch, store_folder):
    """Makes plans whose trainings take no time."""
    tried = []

    def train(configuration, seed, recipe):
        tried.append((configuration, seed))
        if configuration == "et_attention":
            raise CheckpointError("no such file")
        return Trained(tmp_path, 1.0, run.asked_start(configuration, recipe) or "somewhere")

    monkeypatch.setattr(run, "train_row", train)
    monkeypatch.setattr(run, "evaluate", lambda name, weights, plan: {"wtrack": 40.0})
    root = write_sequences(tmp_path / "sequences")

    def make(only, seeds=(0,), pairs=16):
        recipe = Recipe(pairs, tmp_path / "out", store_folder, tmp_path)
        return run.Plan(("components",), recipe, root, ("wtrack",), only, seeds), tried

    return make


def shown(plan):
    content = json.loads((plan.recipe.output / "components.json").read_text("utf-8"))
    return {row["row"]["label"]: row["seeds"] for row in content["rows"] if row["seeds"]}


def test_a_table_mixes_no_seeds_or_budgets(plan):
    both, _ = plan(("Conv",), (0, 1))
    assert run.run(both) == 0
    assert shown(both) == {"Conv": [0, 1]}
    more, tried = plan(("Attention + FFN",), (1,), 32)
    assert run.run(more) == 0
    assert shown(more) == {"Attention + FFN": [1]}
    assert tried == [("et_conv", 0), ("et_conv", 1), ("et_tracker", 1)]
    # What is logged is not trained again, and a damaged line costs its own entry only.
    with (both.recipe.output / run.LOG).open("a") as stream:
        stream.write('{"kind": "row"')
    again, tried = plan(("et_conv",), (0, 1, 2))
    assert run.run(again) == 0
    assert tried[3:] == [("et_conv", 2)]
    assert shown(again) == {"Conv": [0, 1, 2]}


def test_a_row_with_other_weights_to_start_from_is_another_row(plan):
    """Trained from random weights at first; then somebody finds the backbone's."""
    first, tried = plan(("resnet18_conv",))
    assert run.run(replace(first, tables=("backbones",))) == 0
    recipe = replace(first.recipe, backbones={"resnet18": Path("resnet18.pth")})
    named = replace(first, tables=("backbones",), recipe=recipe)
    for _ in range(2):
        assert run.run(named) == 0
    assert [name for name, _ in tried] == ["resnet18_conv", "resnet18_conv"]
    assert tried == 2 * [("resnet18_conv", 0)]


def test_features_and_crops_give_other_pairs(plan, tmp_path):
    """No table of both: neither from one log nor in one call."""
    first, tried = plan(("Conv",))
    assert run.run(first) == 0
    cached = replace(first, recipe=replace(first.recipe, features=tmp_path))
    assert run.run(cached) == 0
    assert tried == 2 * [("et_conv", 0)]
    with pytest.raises(
        ParameterError, match="'resnet18_conv' has another backbone; leave them out"
    ):
        run.run(replace(cached, tables=("backbones",), only=("resnet18_conv",)))


def test_a_row_that_fails_costs_no_other(plan):
    chosen, tried = plan(("Attention", "Conv"))
    assert run.run(chosen) == 1
    assert tried == [("et_attention", 0), ("et_conv", 0)]
    assert shown(chosen) == {"Conv": [0]}


def test_measuring_alone_keeps_the_number_of_starts(plan):
    trained, _ = plan(("Conv",))
    notes = []
    for work in (run.run, run.measure):
        work(replace(trained))
        content = json.loads((trained.recipe.output / "components.json").read_text("utf-8"))
        notes.append(content["context"]["starts"])
    assert notes[0] == notes[1] == {"wtrack": 1}


def test_sets_that_are_not_there_are_told_before_anything_is_trained(plan, tmp_path):
    trained, tried = plan(("Conv",))
    with pytest.raises(DatasetError):
        run.run(replace(trained, root=tmp_path / "absent"))
    assert not tried


def test_unknown_rows_are_refused(plan):
    with pytest.raises(ParameterError, match="no row 'Performer'"):
        run.run(plan(("Performer",))[0])
