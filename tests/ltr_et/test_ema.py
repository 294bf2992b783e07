import pytest
import torch
from torch import nn

from ltr_et.average import EMA


def test_average_follows_slowly_and_the_start_is_forgotten():
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    ema = EMA(module, 0.9)
    nn.init.ones_(module.weight)
    values = []
    for _ in range(60):
        ema.update(module)
        values.append(ema.state["weight"].item())
    # The first update keeps (1 + 1) / (10 + 1) of the old value.
    assert values[0] == pytest.approx(1 - 2 / 11)
    assert values == sorted(values)
    assert values[-1] > 0.99


def test_counters_are_copied_and_statistics_averaged():
    module = nn.BatchNorm1d(2)
    ema = EMA(module, 0.5)
    module(torch.randn(8, 2) + 5)
    ema.update(module)
    assert ema.state["num_batches_tracked"] == 1
    assert 0 < ema.state["running_mean"][0] < 1


def test_weights_come_back_even_after_an_error():
    module = nn.Linear(2, 2)
    ema = EMA(module)
    own = module.weight.detach().clone() + 1
    module.weight.data.copy_(own)
    with pytest.raises(KeyError), ema.applied_to(module):
        assert torch.equal(module.weight, ema.state["weight"])
        raise KeyError("x")
    assert torch.equal(module.weight, own)


def test_state_survives_a_round_trip():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    ema = EMA(first)
    for _ in range(3):
        first.weight.data.add_(1)
        ema.update(first)
    other = EMA(second)
    other.load_state_dict(ema.state_dict())
    assert other.updates == 3
    assert torch.equal(other.state["weight"], ema.state["weight"])
