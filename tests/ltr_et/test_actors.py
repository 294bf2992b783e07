import pytest
import torch

from ltr_et.actors import ETActor, LossWeights

from .networks import feature_pairs, randomised


@pytest.fixture(scope="module")
def networks():
    return randomised("et_tracker"), randomised("lt_mobile", seed=1)


@pytest.mark.parametrize(
    ("progress", "hint", "distilled"), [(0.0, 1.0, 1.0), (0.25, 0.5, 0.5), (0.5, 0, 0), (1, 0, 0)]
)
def test_weights_over_a_stage(progress, hint, distilled):
    weights = LossWeights(distill_cls=(1.0, 0.0), distill_until=0.5, hint=1.0, hint_until=0.5)
    at = weights.at(progress)
    assert (at["hint"], at["distill_cls"]) == (hint, distilled)
    assert at["cls"] == 1.0


def test_shares_of_nothing_are_over_at_once():
    weights = LossWeights(distill_cls=(1.0, 0.2), distill_until=0.0, hint=1.0, hint_until=0.0)
    assert (weights.at(0.0)["distill_cls"], weights.at(0.0)["hint"]) == (pytest.approx(0.2), 0)


def test_total_is_the_weighted_sum_and_parts_are_named(networks):
    weights = LossWeights(distill_cls=(1.0, 1.0), distill_box=(0.5, 0.5), hint=0.7)
    loss, stats = ETActor(*networks, weights)(feature_pairs(2))
    assert list(stats) == [
        "Loss/total", "Loss/cls", "Loss/box", "Loss/distill_cls", "Loss/distill_box", "Loss/hint"
    ]  # fmt: skip
    parts = {name: value.item() for name, value in stats.items()}
    expected = parts["Loss/cls"] + 1.2 * parts["Loss/box"] + parts["Loss/distill_cls"]
    expected += 0.5 * parts["Loss/distill_box"] + 0.7 * parts["Loss/hint"]
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_teacher_is_not_run_when_nothing_is_distilled(networks, monkeypatch):
    net, teacher = networks
    monkeypatch.setattr(teacher.neck, "template", lambda *_: pytest.fail("teacher ran"))
    with pytest.raises(pytest.fail.Exception):
        ETActor(net, teacher, LossWeights(hint=1.0))(feature_pairs(1))
    actor = ETActor(net, teacher, LossWeights(distill_cls=(1.0, 0.0), distill_until=0.5))
    assert "Loss/distill_cls" not in actor(feature_pairs(1) | {"progress": 0.8})[1]


def test_gradients_reach_the_student_alone(networks):
    net, teacher = networks
    actor = ETActor(net, teacher, LossWeights(distill_cls=(1, 1), hint=1.0))
    actor(feature_pairs(2))[0].backward()
    assert net.cls_branch_2.V_pw.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.parameters())
    assert not any(name.startswith("_teacher") for name, _ in actor.named_parameters())
    net.zero_grad()


@pytest.mark.parametrize("field", ["positive", "pseudo"])
def test_no_box_loss_without_a_box_to_learn(networks, field):
    data = feature_pairs(2)
    data[field] = torch.tensor([field == "pseudo"] * 2)
    stats = ETActor(*networks)(data)[1]
    assert stats["Loss/box"] == 0
    assert stats["Loss/cls"] > 0


def test_look_alikes_weigh_more(networks):
    net, _ = networks
    data = feature_pairs(2)
    data["distractors"] = torch.tensor([[[70.0, 10.0, 50.0, 100.0]]] * 2)
    plain = ETActor(net, None, LossWeights())(data)[1]["Loss/cls"]
    heavy = ETActor(net, None, LossWeights(distractor=50.0))(data)[1]["Loss/cls"]
    assert plain != heavy


def test_images_and_their_features_give_the_same_loss(networks):
    net, _ = networks
    generator = torch.Generator().manual_seed(0)
    box = {"box": torch.tensor([[40.0, 40.0, 50.0, 50.0]])}
    images = {
        "template": torch.randint(0, 256, (1, 3, 128, 128), generator=generator).byte(),
        "search": torch.randint(0, 256, (1, 3, 128, 128), generator=generator).byte(),
    }
    z, x = ETActor.features(net, images)
    actor = ETActor(net)
    torch.testing.assert_close(actor(images | box)[0], actor({"z": z, "x": x} | box)[0])


def test_a_frozen_backbone_gets_no_gradient(networks):
    net, _ = networks
    net.zero_grad(set_to_none=True)
    images = {name: torch.zeros(1, 3, 128, 128).byte() for name in ("template", "search")}
    data = images | {"box": torch.tensor([[40.0, 40.0, 50.0, 50.0]]), "backbone_frozen": True}
    ETActor(net)(data)[0].backward()
    assert net.backbone_net.conv_stem.weight.grad is None
    assert net.cls_branch_1.conv1.weight.grad is not None
    net.zero_grad(set_to_none=True)


def test_unlabelled_pairs_learn_from_the_teacher_alone(networks):
    weights = LossWeights(distill_cls=(1.0, 1.0), distill_box=(1.0, 1.0), rank=1.0)
    data = feature_pairs(2) | {"labelled": torch.tensor([False, False])}
    stats = ETActor(*networks, weights)(data)[1]
    assert stats["Loss/cls"] == stats["Loss/box"] == stats["Loss/rank"] == 0
    assert stats["Loss/distill_cls"] > 0 and stats["Loss/distill_box"] > 0


@pytest.mark.parametrize("frozen", [True, False])
def test_a_backbone_that_is_the_teachers_and_stays_so_runs_once(frozen, monkeypatch):
    net, teacher = randomised("et_tracker", seed=1), randomised("lt_mobile", seed=1)
    net.backbone_net.load_state_dict(teacher.backbone_net.state_dict())
    net.backbone_net.requires_grad_(not frozen)
    images = {name: torch.zeros(1, 3, 128, 128).byte() for name in ("template", "search")}
    actor = ETActor(net, teacher, LossWeights(distill_cls=(1.0, 1.0)))
    ran, forward = [], teacher.backbone_net.forward
    monkeypatch.setattr(teacher.backbone_net, "forward", lambda x: ran.append(1) or forward(x))
    actor(images | {"box": torch.tensor([[40.0, 40.0, 50.0, 50.0]])})
    assert bool(ran) != frozen
