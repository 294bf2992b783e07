import torch
from torch import nn

from ltr_et.actors import ETActor
from ltr_et.average import reestimate

from .networks import feature_pairs, randomised


def test_function_stays_and_statistics_are_measured():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 2, 1)).eval()
    nn.init.uniform_(net[1].weight, 0.5, 2)
    batches = [torch.randn(4, 3, 9, 9) * 3 + 1 for _ in range(3)]
    before = net(batches[0])
    inputs = torch.cat([net[0](batch) for batch in batches]).transpose(0, 1).flatten(1)
    assert reestimate(net, net, batches) == 1
    torch.testing.assert_close(net(batches[0]), before, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net[1].running_mean, inputs.mean(1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        net[1].running_var, inputs.var(1, correction=0), rtol=1e-3, atol=1e-4
    )


def test_a_dead_channel_is_not_blown_up():
    net = nn.Sequential(nn.BatchNorm2d(1)).eval()
    reestimate(net, net, [torch.full((2, 1, 3, 3), 4.0)])
    out = net(torch.full((2, 1, 3, 3), 4.1))
    torch.testing.assert_close(out, torch.full((2, 1, 3, 3), 4.1), atol=1e-3, rtol=1e-3)


def test_whole_tracker():
    net, data = randomised("et_tracker"), feature_pairs(4)
    actor = ETActor(net, fast=False)
    before = actor.heads(data["z"], data["x"])
    count = reestimate(net, lambda b: actor.heads(b["z"], b["x"]), [data])
    # Two of the neck, two per Exemplar layer (4 + 6), one per separable convolution (2 + 2).
    assert count == 2 + 20 + 4
    after = actor.heads(data["z"], data["x"])
    torch.testing.assert_close(after.logits, before.logits, atol=1e-3, rtol=1e-3)
