"""A row from crops to a table, and again."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

from ltr_et.data.build_crops import build
from ltr_et.dataset.pack import open_pack
from ltr_et.research.ablation import run
from ltr_et.research.ablation.__main__ import main
from ltr_et.research.ablation.rows import Budget
from ltr_et.research.ablation.run import shortened
from ltr_et.research.ablation.training import (
    Recipe,
    Trained,
    copy_given,
    load_classifier,
    train_row,
)
from pytracking_et import network
from pytracking_et.errors import CheckpointError, ParameterError
from pytracking_et.evaluation import Sequence
from pytracking_et.live.clip import render
from tests.ltr_et.tiny import write_pack


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lt_mobile.safetensors"
    network.weights.save(path, network.build("lt_mobile").state_dict(), {"network": "lt_mobile"})
    return path


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    build(open_pack(write_pack(folder / "pack")), folder / "crops")
    return folder / "crops"


def write_otb(root, frames=4):
    """A data set of one rendered sequence in OTB's layout."""
    images = root / "Clip" / "img"
    images.mkdir(parents=True)
    boxes = []
    for number, frame in zip(range(1, frames + 1), render(10, seed=0), strict=False):
        name = images / f"{number:04d}.jpg"
        name.write_bytes(cv2.imencode(".jpg", frame.image[..., ::-1])[1].tobytes())
        boxes.append(",".join(f"{value:.0f}" for value in frame.box))
    (root / "Clip" / "groundtruth_rect.txt").write_text("\n".join(boxes) + "\n")
    entry = {
        "name": "Clip", "path": "Clip/img", "anno_path": "Clip/groundtruth_rect.txt",
        "startFrame": 1, "endFrame": frames, "nz": 4, "ext": "jpg", "initOmit": 0,
    }  # fmt: skip
    (root / "sequences.json").write_text(json.dumps([entry]))
    return root


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
    net = network.build("resnet18_conv").backbone_net
    state = {n: torch.full_like(v, 2) for n, v in net.state_dict().items() if "adapt" not in n}
    path = tmp_path / "classifier.pth"
    torch.save({**state, "fc.weight": torch.zeros(10, 512)}, path)
    adapt = net.adapt.weight.clone()
    load_classifier(net, path)
    assert (net.conv1.weight == 2).all()
    assert torch.equal(net.adapt.weight, adapt)
    with pytest.raises(CheckpointError, match="torchvision's names"):
        load_classifier(network.build("mobilenet_v3_conv").backbone_net, path)


def test_mistakes_are_found_before_the_night(tmp_path, capsys):
    command = ["components", "--output", str(tmp_path), "--dataset-root", "otb=/nowhere"]
    assert main(command) == 2
    assert "'/nowhere' does not exist" in capsys.readouterr().err
    assert main(["components", "--budget", "soon"]) == 2
    assert main(["components", "scaling"]) == 2
    for option in ("--batch", "--frames", "--sequences"):
        assert main(["components", option, "0"]) == 2
        assert f"{option} 0: give 1 or more" in capsys.readouterr().err


@pytest.mark.slow
def test_a_row_is_trained_once_and_told_from_others(tmp_path, teacher, crops):
    recipe = Recipe(Budget.parse("48"), tmp_path, crops, teacher)
    first = train_row("et_conv", 0, recipe)
    assert first.pairs == 48
    stamp = first.weights.stat().st_mtime_ns
    assert train_row("et_conv", 0, recipe) == first
    assert first.weights.stat().st_mtime_ns == stamp
    other = Recipe(Budget.parse("48"), tmp_path, crops / ".." / "crops", teacher)
    with pytest.raises(ParameterError, match="with crops"):
        train_row("et_conv", 0, other)


@pytest.mark.slow
def test_the_command_writes_the_table(tmp_path, teacher, crops, capsys):
    root = write_otb(tmp_path / "otb")
    command = ["components", "--rows", "Conv", "--budget", "16", "--engine", "torch"]
    command += ["--dataset-root", f"otb={root}", "--crops", str(crops), "--teacher", str(teacher)]
    command += ["--output", str(tmp_path / "out"), "--threads", "1"]
    assert main(command) == 0
    content = json.loads((tmp_path / "out" / "components.json").read_text())
    rows = {row["label"]: row for row in content["rows"]}
    assert len(rows["Conv"]["auc"]["otb"]) == 1
    assert 0 <= rows["Conv"]["auc"]["otb"][0] <= 100
    assert rows["Conv"]["pairs"] == [16]
    assert rows["Conv"]["cost"]["macs"] > 5e8
    assert rows["Conv"]["cost"]["latency_ms"] > 0
    assert rows["Attention"]["pairs"] == []
    assert "not run yet: Attention" in content["note"]
    assert "16 pairs" in capsys.readouterr().out
    latency = rows["Conv"]["cost"]["latency_ms"]
    assert main([*command, "--measure", "again"]) == 0
    again = json.loads((tmp_path / "out" / "components.json").read_text())
    conv = next(row for row in again["rows"] if row["label"] == "Conv")
    assert conv["auc"] == rows["Conv"]["auc"]
    assert conv["cost"]["latency_ms"] != latency
    assert again["context"]["command"] == content["context"]["command"]
    # Of other frames nothing is finished; what is trained is used.
    assert main([*command, "--frames", "2", "--measure", "again"]) == 1
    assert main([*command, "--frames", "2", "--measure", "later"]) == 0
    content = json.loads((tmp_path / "out" / "components.json").read_text())
    assert content["context"]["frames"] == 2
    conv = next(row for row in content["rows"] if row["label"] == "Conv")
    assert "latency_ms" not in conv["cost"]


def test_a_table_mixes_no_seeds_or_data(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "train_row", lambda *_: Trained(tmp_path, 16, 1.0, "random"))
    monkeypatch.setattr(run, "evaluate", lambda name, seed, *_: 40.0 + seed)
    recipe = Recipe(Budget.parse("16"), tmp_path / "out", tmp_path, tmp_path)
    data = {"otb": write_otb(tmp_path / "otb")}

    def table(row, seeds):
        plan = run.Plan(("components",), recipe, data, (row,), seeds, measure="later")
        assert run.run(plan) == 0
        content = json.loads((recipe.output / "components.json").read_text())
        return content["note"], {row["label"]: row["auc"] for row in content["rows"] if row["auc"]}

    table("Conv", (0, 1))
    note, shown = table("Attention", (0, 1))
    assert shown == {"Conv": {"otb": [40, 41]}, "Attention": {"otb": [40, 41]}}
    assert "left out" not in note
    note, shown = table("Attention", (2,))
    assert shown == {"Attention": {"otb": [42]}}
    assert "Conv left out, stored with seeds 0, 1" in note
    assert "Conv" not in note.split("not run yet: ")[1]
    # Stored before rows held their seeds.
    (path,) = (recipe.output / "rows").glob("et_conv_*.json")
    old = json.loads(path.read_text())
    del old["seeds"], old["sequences"], old["left_out"]
    path.write_text(json.dumps(old))
    _, shown = table("Attention", (0, 1))
    assert set(shown) == {"Conv", "Attention"}


def test_the_first_frames_of_a_sequence():
    names = [f"{number}.jpg" for number in range(5)]
    boxes = np.arange(20.0).reshape(5, 4)
    whole = Sequence("clip", names, "lasot", boxes, target_visible=[1, 0, 1, 1, 0])
    part = shortened(whole, 3)
    assert part.frames == names[:3]
    np.testing.assert_array_equal(part.ground_truth_rect, boxes[:3])
    assert part.target_visible.tolist() == [True, False, True]
    assert (part.name, part.dataset) == ("clip", "lasot")
    assert shortened(whole, 5) is whole
    assert shortened(whole, None) is whole
