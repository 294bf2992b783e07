from __future__ import annotations

import pytest

from ltr_et.research.search.space import Genes, evolve
from pytracking_et.errors import ParameterError


def fitness(genes: Genes) -> float:
    """Known best: every block 5, the last output."""
    return sum(genes.blocks) + 5 * genes.output


LIMIT = 600_000_000


def test_it_climbs_within_the_limit():
    found: list[float] = []
    best, seen = evolve(
        fitness, LIMIT, 12, population=12, parents=4,
        report=lambda _, candidate: found.append(candidate.fitness),
    )  # fmt: skip
    assert found == sorted(found)
    assert found[-1] > found[0] + 5
    assert best.macs <= LIMIT
    assert all(candidate.macs <= LIMIT for candidate in seen.values())
    assert best.fitness == max(candidate.fitness for candidate in seen.values())


def test_the_same_seed_finds_the_same_and_measures_once():
    calls: list[str] = []

    def counted(genes: Genes) -> float:
        calls.append(str(genes))
        return fitness(genes)

    one = evolve(counted, LIMIT, 3, population=6, parents=2, seed=3)
    assert len(calls) == len(set(calls))
    assert evolve(fitness, LIMIT, 3, population=6, parents=2, seed=3) == one


@pytest.mark.parametrize(
    ("limit", "generations", "population", "parents", "message"),
    [
        (1_000_000, 1, 2, 1, "raise the limit"),
        (LIMIT, 0, 12, 4, "at least one generation"),
        (LIMIT, 1, 1, 1, "two members"),
        (LIMIT, 1, 12, 99, "no more parents than members"),
    ],
)
def test_what_cannot_be_searched_is_refused(limit, generations, population, parents, message):
    with pytest.raises(ParameterError, match=message):
        evolve(fitness, limit, generations, population, parents)
