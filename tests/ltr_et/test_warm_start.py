import pytest
import torch

from ltr_et.warm_start import copy_shared, student_name, warm_start
from pytracking_et import network
from pytracking_et.errors import CheckpointError

from .networks import feature_pairs, randomised


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("neck.BN_z.weight", "neck.BN_z.0.weight"),
        ("feature_fusor.pw_corr.CA_layer.fc1.bias", "feature_fusor.pw_corr.0.CA_layer.fc1.bias"),
        ("feature_fusor.adj_layer.weight", "feature_fusor.adj_layer.0.weight"),
        ("head.cls_tower.0.conv1.weight", "cls_branch_1.conv1.weight"),
        ("head.reg_tower.7.BN.bias", "bbreg_branch_8.BN.bias"),
        ("head.cls_pred_head.cls_pred.bias", "cls_pred_head.cls_pred.bias"),
        ("backbone_net.bn1.weight", "backbone_net.bn1.weight"),
    ],
)
def test_names(teacher, student):
    assert student_name(teacher) == student


def test_everything_but_the_exemplar_layers_is_copied():
    teacher, student = randomised("lt_mobile"), randomised("et_tracker", seed=1)
    copied = copy_shared(student, teacher)
    assert "backbone_net.blocks.4.2.conv_dw.weight" in copied
    assert not any("V_dw" in name or "linear" in name for name in copied)
    data = feature_pairs(2)
    ours, theirs = (
        net.feature_fusor(net.neck.template(data["z"]), net.neck.search(data["x"]))
        for net in (student, teacher)
    )
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["et_s2", "et_template", "et_attention"])
def test_other_exemplar_layers_are_refused(name):
    data = feature_pairs(2)
    with pytest.raises(CheckpointError, match="published Exemplar layers.*--initial"):
        warm_start(network.build(name), network.build("lt_mobile"), data["z"], data["x"])


def test_another_backbone_is_refused():
    with pytest.raises(CheckpointError, match="LT-Mobile"):
        copy_shared(network.build("et_tracker"), network.build("et_tracker"))


@pytest.fixture(scope="module")
def started():
    teacher, student = randomised("lt_mobile"), randomised("et_tracker", seed=1)
    data = feature_pairs(24, seed=3)
    return teacher, student, warm_start(student, teacher, data["z"], data["x"])


def test_layers_come_near_the_teachers(started):
    _, _, errors = started
    assert list(errors)[:2] == ["cls_branch_1", "cls_branch_2"]
    assert len(errors) == 14
    assert errors["cls_branch_1"] == 0
    assert max(errors.values()) < 0.8


def test_the_result_holds_on_other_pairs(started):
    teacher, student, _ = started
    data = feature_pairs(8, seed=9)
    with torch.inference_mode():
        outputs = []
        for net, tower in ((student, student.cls_tower), (teacher, teacher.head.cls_tower)):
            x = net.feature_fusor(net.neck.template(data["z"]), net.neck.search(data["x"]))
            for layer in tower:
                x = layer(x)
            outputs.append(x)
    ours, theirs = outputs
    untrained = randomised("et_tracker", seed=1)
    copy_shared(untrained, teacher)
    with torch.inference_mode():
        x = teacher.feature_fusor(teacher.neck.template(data["z"]), teacher.neck.search(data["x"]))
        for layer in untrained.cls_tower:
            x = layer(x)
    assert (ours - theirs).norm() < 0.7 * (x - theirs).norm()


def test_same_seed_same_start():
    teacher = randomised("lt_mobile")
    data = feature_pairs(8)
    first, second = (randomised("et_tracker", seed=1) for _ in range(2))
    for student in (first, second):
        warm_start(student, teacher, data["z"], data["x"], seed=5)
    assert torch.equal(first.cls_branch_2.V_dw, second.cls_branch_2.V_dw)
