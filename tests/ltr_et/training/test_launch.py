"""Networks on another device than the batches: `meta` tells them apart as a GPU would."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ltr_et import warm_start
from ltr_et.actors import ETActor, LossWeights
from ltr_et.settings import Settings, Stage
from ltr_et.training import launch
from ltr_et.training.distributed import Group
from ltr_et.training.launch import Launch
from ltr_et.training.trainer import to_device
from ltr_et.warm_start import copy_shared
from pytracking_et import network
from pytracking_et.errors import CheckpointError, DatasetError

from ..networks import RandomPairs, feature_pairs, randomised

META = torch.device("meta")


@pytest.fixture
def net():
    return network.build("et_tracker").to(META)


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(launch, "open_pairs", lambda *_: RandomPairs(4))
    return Launch(Settings(stages=[Stage("s", 64)]), Group())


def test_features_are_made_where_the_network_is(made, net):
    z, x = made._features(net, made.settings.stages[0], 16)
    assert (z.device, x.device) == (META, META)


def test_statistics_are_measured_where_the_network_is(made, net, monkeypatch):
    seen = []

    def measure(net, run, batches):
        with torch.no_grad():
            seen.extend(run(batch) for batch in batches)
        return len(seen)

    monkeypatch.setattr(launch, "reestimate", measure)
    made._reestimate(net, Stage("s", 64, reestimate=32))
    assert len(seen) == 2


def test_cached_features_are_those_of_the_networks_own_backbone(made):
    """Of weights that were trained on, the backbone too, the cache tells nothing."""
    teacher, student = randomised("lt_mobile"), network.build("et_tracker")
    copy_shared(student, teacher)
    made.teacher = teacher
    weights = [weight.data for weight in student.backbone_net.parameters()]
    for weight in weights:
        weight.copy_(weight.half())
    made.before_stage(student, Stage("heads", 64))
    for weight in weights:
        weight.mul_(1 + 0.1 * torch.randn(weight.shape))
    made.before_stage(student, Stage("all", 64, "crops"))
    with pytest.raises(CheckpointError, match="'heads' reads cached features.*source=crops"):
        made.before_stage(student, Stage("heads", 64))


def test_weights_of_another_network_are_told(tmp_path, caplog):
    """Those of S x S queries have the same shapes."""
    path = tmp_path / "s2.safetensors"
    network.weights.save(path, randomised("et_s2").state_dict(), {"network": "et_s2"})
    made = Launch(Settings(stages=[Stage("s", 64)], initial=path), Group())
    made._start(network.build("et_tracker"))
    assert "weights of network et_s2" in caplog.text and "--set network=et_s2" in caplog.text


def test_constants_of_the_start_are_those_of_the_result(tmp_path):
    """But what was fitted to the scores of those weights."""
    path, final = tmp_path / "start.safetensors", tmp_path / "final.safetensors"
    net = randomised("et_tracker")
    constants = {"template_size": 128, "lr": 0.5, "presence": [0.1] * 8}
    network.weights.save(path, net.state_dict(), {"parameters": json.dumps(constants)})
    settings = Settings(stages=[Stage("s", 64)], initial=path, constants={"lr": 0.6})
    made = Launch(settings, Group())
    made._start(net)
    made.export(net.state_dict(), 64, final)
    assert network.weights.tuned_parameters(final) == {"template_size": 128, "lr": 0.6}


def test_all_processes_begin_with_one_network(monkeypatch):
    seeds = []
    monkeypatch.setattr(launch, "open_pack", lambda _: None)
    monkeypatch.setattr(
        launch, "FrameBank", lambda *_, **__: SimpleNamespace(unreadable=[], offset=[])
    )
    monkeypatch.setattr(launch, "DevicePairs", lambda bank, batch, drawn: seeds.append(drawn.seed))
    stage = Stage("s", 64, source="frames", batch=8)
    for rank in (0, 1):
        made = Launch(Settings(stages=[stage], data=Path("pack")), Group(rank, 2))
        list(made._unused(stage, 0))
        made._open(stage, {})
    assert seeds[0] == seeds[2], "pairs that set the network up"
    assert seeds[1] != seeds[3], "pairs that it learns from"
    with pytest.raises(DatasetError, match="batch 8 cannot be shared by 3 processes"):
        Launch(made.settings, Group(0, 3))._open(stage, {})


def test_a_value_beyond_float16_costs_no_run(made, tmp_path, caplog):
    state = {"weight": torch.tensor([1e-9, 7e4])}
    made.export(state, 64, tmp_path / "final.safetensors")
    read, _ = network.weights.read(tmp_path / "final.safetensors")
    assert torch.equal(read["weight"], state["weight"])
    assert "70000 does not fit into float16" in caplog.text
    with pytest.raises(CheckpointError, match="float16"):
        made.export({"weight": torch.tensor([float("nan")])}, 64, tmp_path / "final.safetensors")


def test_a_loss_that_compares_with_a_teacher_needs_one():
    taught = Stage("heads", 64, losses=LossWeights(distill_box=(0.5, 0.0)))
    with pytest.raises(CheckpointError, match="'heads' learns from LT-Mobile.*--teacher"):
        Launch(Settings(stages=[Stage("first", 64), taught]), Group())


def test_units_are_fitted_where_the_network_is(net, monkeypatch):
    # The descent compares two errors, which have no value here.
    monkeypatch.setattr(warm_start, "_refined", lambda parts, *_: parts)
    layer = net.cls_branch_3
    tokens = torch.empty(32, layer.channels, device=META)
    with torch.no_grad():
        warm_start._fit(layer, tokens, tokens, 8)


def test_the_teacher_is_compared_where_the_network_is(net):
    weights = LossWeights(distill_cls=(1, 1), distill_box=(1, 1), hint=1)
    actor = ETActor(net, network.build("lt_mobile").to(META), weights, fast=False)
    total, _ = actor(to_device(feature_pairs(2, 4), META))
    assert total.device == META
