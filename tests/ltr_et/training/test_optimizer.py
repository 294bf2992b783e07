import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ltr_et.settings import Stage
from ltr_et.training import optimizer
from pytracking_et import network
from pytracking_et.errors import ParameterError


@pytest.fixture(scope="module")
def net():
    return network.build("et_tracker")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("backbone_net.conv_stem.weight", "stem"),
        ("backbone_net.bn1.weight", "stem"),
        ("backbone_net.blocks.2.1.bn1.weight", "stem"),
        ("backbone_net.blocks.3.0.conv_pw.weight", "backbone"),
        ("neck.BN_z.0.weight", "neck"),
        ("feature_fusor.adj_layer.0.bias", "fusor"),
        ("cls_branch_1.BN.weight", "separable"),
        ("cls_branch_2.V_dw", "exemplar"),
        ("bbreg_branch_8.pointwise.weight", "separable"),
        ("reg_pred_head.bbox_pred.bias", "prediction"),
    ],
)
def test_parts(net, name, part):
    assert name in dict(net.named_parameters())
    assert optimizer.part_of(net, name) == part


def test_groups_rates_decay_and_frozen_parts(net):
    stage = Stage("s", 64, rates={"exemplar": 1.0, "prediction": 0.1}, lr=1e-3, weight_decay=0.02)
    groups = optimizer.parameter_groups(net, stage)
    found = {(round(g["lr"], 9), g["weight_decay"]): g["params"] for g in groups}
    assert set(found) == {(1e-4, 0.0), (1e-3, 0.0), (1e-3, 0.02)}
    decayed = {id(p) for p in found[1e-3, 0.02]}
    assert id(net.cls_branch_2.V_pw) in decayed
    assert id(net.cls_branch_2.K) not in decayed
    assert id(net.cls_branch_2.norm1.weight) not in decayed
    assert not net.backbone_net.conv_stem.weight.requires_grad
    assert sum(len(p) for p in found.values()) == sum(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("cosine", 0, 0.1), ("cosine", 9, 1.0), ("cosine", 55, 0.505), ("cosine", 100, 0.01),
        # Epochs 0, 5 and 50 of 50: 2e-2, 1e-1 and 2e-4 of a peak of 1e-1.
        ("paper", 0, 0.2), ("paper", 10, 1.0), ("paper", 100, 0.002),
    ],
)  # fmt: skip
def test_schedules(schedule, step, factor):
    final = 0.002 if schedule == "paper" else 0.01
    stage = Stage("s", 800, batch=8, schedule=schedule, warmup=10, final=final)
    assert optimizer.rate_at(stage, step) == pytest.approx(factor, rel=1e-3)


def test_rates_reach_the_optimiser(net):
    stage = Stage("s", 800, batch=8, rates={"exemplar": 1.0, "neck": 0.5}, lr=1e-2, warmup=10)
    made = optimizer.build_optimizer(net, stage)
    assert optimizer.set_rates(made, stage, 4) == 0.5
    assert sorted({g["lr"] for g in made.param_groups}) == pytest.approx([2.5e-3, 5e-3])


@pytest.mark.parametrize(
    ("mode", "step", "backbone", "neck"),
    [("frozen", 0, False, False), ("train", 0, False, True), ("train", 9, True, True)],
)
def test_modes_of_batch_norm(net, mode, step, backbone, neck):
    stage = Stage(
        "s", 80, "crops", {"backbone": 1.0, "neck": 1.0}, batch=8, batch_norm=mode, fast=False,
        freeze_backbone=0.5,
    )  # fmt: skip
    optimizer.set_modes(net, stage, step)
    assert net.backbone_net.blocks[3][0].bn1.training is backbone
    assert net.neck.BN_z[0].training is neck
    # No rate: left alone in any case.
    assert not net.cls_branch_1.BN.training
    assert net.cls_branch_2.linear1.training


def test_frozen_batch_norm_stays_frozen_once_it_is_synchronised(net):
    stage = Stage("s", 80, batch=8, rates={"neck": 1.0}, batch_norm="train", fast=False)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(net))
    optimizer.set_modes(net, stage, 0)
    optimizer.set_modes(converted, stage, 0)
    ours, theirs = (
        {name for name, m in n.named_modules() if isinstance(m, _BatchNorm) and m.training}
        for n in (converted, net)
    )
    assert ours == theirs
    assert theirs and all(name.startswith("neck.") for name in theirs)


def test_rates_that_train_nothing_are_refused(net):
    only = Stage("s", 64, rates={})
    with pytest.raises(ParameterError, match="stage 's': rates {} train no part"):
        optimizer.build_optimizer(net, only)


def test_sgd_decays_everything(net):
    stage = Stage("s", 64, optimizer="sgd", rates={"neck": 1.0}, weight_decay=1e-4)
    made = optimizer.build_optimizer(net, stage)
    assert isinstance(made, torch.optim.SGD)
    assert {g["weight_decay"] for g in made.param_groups} == {1e-4}
