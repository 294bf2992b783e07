from __future__ import annotations

import random

import pytest
import torch

from pytracking_et import network
from pytracking_et.errors import ParameterError
from pytracking_et.network.backbones.lt_mobile import (
    LT_MOBILE,
    backbone,
    output_stride,
    round_channels,
)


@pytest.mark.parametrize("name", ["et_tracker", "lt_mobile"])
def test_names_build(name):
    assert name in network.configurations()
    module = network.build(name).eval()
    with torch.inference_mode():
        zf = module.template(torch.zeros(2, 3, 127, 127))
        cls, reg = module.track(zf, torch.zeros(2, 3, 256, 256))
    assert zf.shape == (2, 96, 8, 8)
    assert cls.shape == (2, 1, 16, 16)
    assert reg.shape == (2, 4, 16, 16)
    assert (reg >= 0).all()


def test_unknown_name_lists_what_there_is():
    with pytest.raises(ParameterError, match="did you mean 'et_tracker'"):
        network.build("et_traker")


def random_architecture(seed: int) -> str:
    draw = random.Random(seed)
    back = "".join(str(draw.randrange(6)) for _ in range(18))
    cls, reg = (
        str(draw.randrange(3)) + "0" + "".join(str(draw.randrange(3)) for _ in range(7))
        for _ in range(2)
    )
    return f"back_0{back}0+cls_{cls}+reg_{reg}_ops_3{draw.randrange(4)}"


@pytest.mark.parametrize("seed", range(3))
def test_any_string_of_the_search_space_builds_and_runs(seed):
    module = network.build(random_architecture(seed)).eval()
    with torch.inference_mode():
        zf = module.template(torch.zeros(1, 3, 128, 128))
        cls, reg = module.track(zf, torch.zeros(1, 3, 256, 256))
    assert cls.shape == (1, 1, 16, 16)
    assert reg.shape == (1, 4, 16, 16)


def test_lt_mobile_fits_the_weights_that_are_public(shared):
    module = network.build("lt_mobile")
    network.weights.load(module, shared / "weights" / "lighttrack_mobile.npz")


def test_backbone_stride():
    assert output_stride(backbone(LT_MOBILE).eval()) == network.STRIDE


@pytest.mark.parametrize(
    ("value", "rounded"), [(4, 8), (16, 16), (24, 24), (36, 40), (60, 64), (18, 24), (20, 24)]
)
def test_round_channels(value, rounded):
    assert round_channels(value) == rounded
    assert rounded >= 0.9 * value
