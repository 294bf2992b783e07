from __future__ import annotations

import random

import pytest

from ltr_et.research.ablation.costs import size
from ltr_et.research.search.space import Genes, built_blocks, cross, macs, mutate, sample
from pytracking_et.network.backbones.lt_mobile import LT_MOBILE, Architecture


def genes(seed: int) -> Genes:
    return sample(random.Random(seed))


@pytest.mark.parametrize("seed", range(20))
def test_samples_are_architectures(seed):
    one = genes(seed)
    parsed = Architecture.parse(str(one))
    assert sum(map(len, parsed.stages)) == built_blocks(one.output)
    assert parsed.cls.width in (128, 192, 256)
    assert str(genes(seed)) == str(one)


def test_the_space_is_covered():
    drawn = [genes(seed) for seed in range(300)]
    for place in range(built_blocks(0)):
        assert {one.blocks[place] for one in drawn} == set(range(6))
    assert {one.output for one in drawn} == {0, 1, 2, 3}
    assert {one.cls.width for one in drawn} == {0, 1, 2}
    assert {one.reg.layers[0] for one in drawn} == {0, 1}
    assert {one.reg.layers[7] for one in drawn} == {0, 1, 2}


def test_mutation_and_crossover_stay_in_the_space():
    draw = random.Random(0)
    one, two = genes(1), genes(2)
    assert mutate(one, draw, 0.0) == one
    assert mutate(one, draw, 1.0) != one
    for _ in range(20):
        child = cross(one, two, draw)
        Architecture.parse(str(mutate(child, draw)))
        kept = built_blocks(child.output)
        for place in range(min(kept, built_blocks(one.output), built_blocks(two.output))):
            assert child.blocks[place] in (one.blocks[place], two.blocks[place])
        assert not any(child.blocks[kept:])
        assert child.cls.width in (one.cls.width, two.cls.width)


@pytest.mark.parametrize("architecture", [LT_MOBILE, str(genes(3)), str(genes(4))])
def test_formula_equals_count(architecture):
    assert macs(architecture) == size(architecture)["macs"]
