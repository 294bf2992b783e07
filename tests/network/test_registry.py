from __future__ import annotations

import random

import pytest
import torch

from pytracking_et import network
from pytracking_et.errors import ParameterError
from pytracking_et.network.backbones.lt_mobile import LT_MOBILE, round_channels


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


@pytest.mark.parametrize("name", ["lt_mobile", LT_MOBILE, *map(random_architecture, range(3))])
def test_any_string_of_the_search_space_builds_and_runs(name):
    module = network.build(name).eval()
    with torch.inference_mode():
        zf = module.template(torch.zeros(2, 3, 127, 127))
        cls, reg = module.track(zf, torch.zeros(2, 3, 256, 256))
    assert zf.shape == (2, 96, 8, 8)
    assert (cls.shape, reg.shape) == ((2, 1, 16, 16), (2, 4, 16, 16))
    assert (reg >= 0).all()


def test_lt_mobile_fits_the_weights_that_are_public(shared):
    module = network.build("lt_mobile")
    network.weights.load(module, shared / "weights" / "lighttrack_mobile.npz")


@pytest.mark.parametrize(
    ("value", "rounded"), [(4, 8), (16, 16), (24, 24), (36, 40), (60, 64), (18, 24), (20, 24)]
)
def test_round_channels(value, rounded):
    assert round_channels(value) == rounded
    assert rounded >= 0.9 * value
