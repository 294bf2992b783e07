from __future__ import annotations

import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.network.backbones.lt_mobile import LT_MOBILE, Architecture, BlockChoice


def test_lt_mobile_as_the_specification_spells_it():
    parsed = Architecture.parse(LT_MOBILE)
    assert [len(stage) for stage in parsed.stages] == [2, 4, 4, 3]
    assert parsed.stages[0] == (BlockChoice(7, 4), BlockChoice(7, 6))
    assert parsed.stages[3] == (BlockChoice(7, 6), BlockChoice(5, 4), BlockChoice(3, 6))
    assert (parsed.cls.width, parsed.cls.kernels) == (256, (5, 5, 3, 3, 3, 3))
    assert (parsed.reg.width, parsed.reg.kernels) == (192, (3, 3, 3, 3, 3, 5, 5, 5))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resnet18",
        LT_MOBILE.replace("back_0", "back_1"),
        LT_MOBILE.replace("4502", "4602"),
        LT_MOBILE.replace("ops_32", "ops_12"),
        LT_MOBILE.replace("cls_211000022", "cls_222222222"),
        LT_MOBILE + "x",
    ],
)
def test_other_strings_are_refused_and_quoted(text):
    with pytest.raises(ParameterError) as caught:
        Architecture.parse(text)
    assert repr(text) in str(caught.value)
