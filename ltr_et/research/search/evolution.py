"""Evolutionary search under a limit of multiply-adds (as LightTrack does on its supernet)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from pytracking_et.errors import ParameterError

from .space import Genes, cross, mutate, sample

# Draws for one member of a population before the limit is called too low.
ATTEMPTS = 500

Fitness = Callable[[Genes], float]
Cost = Callable[[Genes], int]


@dataclass(frozen=True)
class Candidate:
    """An architecture with its multiply-adds and its fitness (higher is better)."""

    genes: Genes
    macs: int
    fitness: float


@dataclass
class Evolution:
    """Generations of candidates; each architecture is measured once.

    Attributes:
        cost: multiply-adds of an architecture.
        fitness: its accuracy.
        limit: most multiply-adds.
        population: size.
        parents: size.
        chance: of each digit in a mutation.
        seen: all so far.
    """

    cost: Cost
    fitness: Fitness
    limit: int
    population: int = 50
    parents: int = 10
    chance: float = 0.1
    seed: int = 0
    seen: dict[str, Candidate] = field(default_factory=dict)
    _costs: dict[str, int] = field(default_factory=dict, repr=False)

    def run(
        self, generations: int, report: Callable[[int, Candidate], None] = lambda *_: None
    ) -> Candidate:
        """Search; returns the best candidate of all generations.

        The same seed, cost and fitness draw the same architectures.

        Raises:
            ParameterError: the limit leaves no architecture, or sizes that make no population.
        """
        if generations < 1 or self.population < 2 or not 1 <= self.parents <= self.population:
            raise ParameterError(
                f"generations {generations}, population {self.population}, parents {self.parents}: "
                "give at least one generation, two members, and no more parents than members"
            )
        draw = random.Random(self.seed)
        members = self._first(draw)
        best: list[Candidate] = []
        for generation in range(generations):
            best = self._best([*best, *(self._measured(genes) for genes in members)])
            report(generation, best[0])
            if generation + 1 < generations:
                members = self._children(best, draw)
        return best[0]

    def _best(self, candidates: list[Candidate]) -> list[Candidate]:
        unique = {str(candidate.genes): candidate for candidate in candidates}
        ranked = sorted(unique.values(), key=lambda c: (-c.fitness, c.macs, str(c.genes)))
        return ranked[: self.parents]

    def _measured(self, genes: Genes) -> Candidate:
        name = str(genes)
        if name not in self.seen:
            self.seen[name] = Candidate(genes, self._macs(genes), self.fitness(genes))
        return self.seen[name]

    def _macs(self, genes: Genes) -> int:
        name = str(genes)
        if name not in self._costs:
            self._costs[name] = self.cost(genes)
        return self._costs[name]

    def _first(self, draw: random.Random) -> list[Genes]:
        return self._fill([], lambda: sample(draw))

    def _children(self, best: list[Candidate], draw: random.Random) -> list[Genes]:
        def child() -> Genes:
            one, two = draw.choice(best).genes, draw.choice(best).genes
            if draw.random() < 0.5:
                return mutate(one, draw, self.chance)
            return mutate(cross(one, two, draw), draw, self.chance / 2)

        return self._fill([], child)

    def _fill(self, members: list[Genes], make: Callable[[], Genes]) -> list[Genes]:
        """New members within the limit until the population is whole."""
        for _ in range(ATTEMPTS * self.population):
            genes = make()
            if genes not in members and self._macs(genes) <= self.limit:
                members.append(genes)
            if len(members) == self.population:
                return members
        raise ParameterError(
            f"only {len(members)} of {self.population} architectures found with at most "
            f"{self.limit / 1e6:.0f} M multiply-adds; raise the limit or shrink the population"
        )
