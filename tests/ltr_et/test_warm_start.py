import copy

import pytest
import torch

from ltr_et import fast_heads
from ltr_et.warm_start import active_units, copy_shared, narrow, student_name, warm_start
from pytracking_et import network
from pytracking_et.errors import CheckpointError, ParameterError

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


LAYER = "cls_branch_3"


@pytest.fixture(scope="module")
def pairs():
    return feature_pairs(16, seed=5)


@pytest.fixture(scope="module")
def made(pairs):
    """(full network, the same with 64 units, its errors)."""
    full = randomised("et_tracker")
    small = copy.deepcopy(full)
    return full, small, narrow(small, pairs["z"], pairs["x"], 64)


def heads(net, pairs):
    with torch.no_grad():
        zf = net.neck.template(pairs["z"])
        maps = net.feature_fusor(zf, net.neck.search(pairs["x"]))
        ends = []
        for tower in (net.cls_tower, net.reg_tower):
            x = maps
            for layer in tower:
                x = layer(x, zf)
            ends.append(x)
    return ends


def layers(net):
    return {name: m for name, m in net.named_modules() if hasattr(m, "V_dw")}


def test_shapes_stay_and_the_rest_is_zero(made):
    full, small, _ = made
    assert {n: v.shape for n, v in small.state_dict().items()} == {
        n: v.shape for n, v in full.state_dict().items()
    }
    for layer in layers(small).values():
        assert active_units(layer) == 64
        for tensor in (layer.linear1.weight, layer.linear1.bias, layer.linear2.weight.t()):
            assert not tensor[64:].any() and tensor[:64].abs().sum(-1).all()


def test_outputs_stay_near(made, pairs):
    """And much nearer than with the other units simply cut off."""
    full, small, errors = made
    assert set(errors) >= set(layers(full))
    cut = copy.deepcopy(full)
    for layer in layers(cut).values():
        layer.linear2.weight.data[:, 64:] = 0
    ends = ("cls_branch_6", "bbreg_branch_8")
    results = (heads(net, pairs) for net in (small, cut, full))
    for ours, blunt, theirs, end in zip(*results, ends, strict=True):
        error = float((ours - theirs).norm() / theirs.norm())
        assert error == pytest.approx(errors[end], rel=1e-3)
        assert error < 0.5 * float((blunt - theirs).norm() / theirs.norm())


def test_units_that_matter_are_all_it_takes(made, pairs):
    """A feed-forward that has few units to begin with is met exactly."""
    _, small, _ = made
    again = copy.deepcopy(small)
    errors = narrow(again, pairs["z"], pairs["x"], 64)
    assert max(errors.values()) < 2e-3


def test_zero_units_stay_zero_in_training(made):
    net = copy.deepcopy(made[1])
    layer = layers(net)[LAYER]
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-2, weight_decay=0.1)
    before = layer.linear1.weight[:64].clone()
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.randn(2, layer.channels, 8, 8)).square().mean().backward()
        optimizer.step()
    assert active_units(layer) == 64
    assert not layer.linear1.weight[64:].any()
    assert not torch.equal(before, layer.linear1.weight[:64])


@pytest.mark.parametrize("which", ["full", "narrow"])
def test_fast_heads_leave_them_out_with_the_same_result_and_gradients(made, which):
    net = copy.deepcopy(made[which == "narrow"])
    layer = layers(net)[LAYER]
    x = torch.randn(2, layer.channels, 8, 8)
    gradients = []
    for run in (layer, lambda maps: fast_heads.exemplar_layer(layer, fast_heads.to_tokens(maps))):
        layer.zero_grad()
        y = run(x)
        y = y if y.dim() == 3 else fast_heads.to_tokens(y)
        y.square().mean().backward()
        gradients.append([y.detach(), *(p.grad.clone() for p in layer.parameters())])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("module", ["standard", "clustered", "linear", "local", "swin"])
def test_layers_of_other_modules_can_be_narrowed(pairs, module):
    net = network.build(f"et_{module}")
    errors = narrow(net, pairs["z"][:2], pairs["x"][:2], 64)
    assert max(errors.values()) < 0.5
    assert {active_units(m) for m in net.modules() if hasattr(m, "linear2")} == {64}


@pytest.mark.parametrize("units", [0, 1025])
def test_impossible_numbers(pairs, units):
    with pytest.raises(ParameterError, match=f"units={units}"):
        narrow(randomised("et_tracker"), pairs["z"], pairs["x"], units)
