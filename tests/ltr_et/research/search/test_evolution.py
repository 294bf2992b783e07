from __future__ import annotations

import pytest

from ltr_et.research.search.space import Evolution, Genes, macs
from pytracking_et.errors import ParameterError


def cost(genes: Genes) -> int:
    return macs(str(genes))


def fitness(genes: Genes) -> float:
    """Known best: every block 5, the last output."""
    return sum(genes.blocks) + 5 * genes.output


LIMIT = 600_000_000


def evolution(**options) -> Evolution:
    return Evolution(cost, fitness, LIMIT, **{"population": 12, "parents": 4, **options})


def test_it_climbs_within_the_limit():
    found: list[float] = []
    search = evolution()
    best = search.run(12, lambda _, candidate: found.append(candidate.fitness))
    assert found == sorted(found)
    assert found[-1] > found[0] + 5
    assert best.macs <= LIMIT
    assert all(candidate.macs <= LIMIT for candidate in search.seen.values())
    assert best.fitness == max(candidate.fitness for candidate in search.seen.values())


def test_the_same_seed_finds_the_same_and_measures_once():
    calls: list[str] = []

    def counted(genes: Genes) -> float:
        calls.append(str(genes))
        return fitness(genes)

    one = Evolution(cost, counted, LIMIT, 6, 2, seed=3).run(3)
    assert len(calls) == len(set(calls))
    assert evolution(population=6, parents=2, seed=3).run(3) == one


def test_an_impossible_limit_is_refused():
    with pytest.raises(ParameterError, match="raise the limit"):
        Evolution(cost, fitness, 1_000_000, population=2, parents=1).run(1)


@pytest.mark.parametrize(
    ("generations", "options"),
    [(0, {}), (1, {"population": 1, "parents": 1}), (1, {"parents": 99})],
)
def test_sizes_are_checked(generations, options):
    with pytest.raises(ParameterError, match="at least one generation"):
        evolution(**options).run(generations)
