"""The LightTrack search space as strings: random ones, mutation, crossover, cost, evolution.

Paper: Yan et al., "LightTrack", CVPR 2021 (arXiv 2104.14545); strings: `backbones.lt_mobile`. Six
choices for each of 14 backbone blocks, the block that the feature is taken from, and for each head
tower one of 3 widths and 8 layers of kernel 3, 5 or skipped. Here the feature comes from stage 4
(96 channels at stride 16, `ops_30` to `ops_33`), and the first layer of a tower is never skipped,
since it brings the width.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from pytracking_et.errors import ParameterError
from pytracking_et.network.backbones.lt_mobile import (
    BACKBONE_EXPANSIONS,
    BACKBONE_KERNELS,
    HEAD_KERNELS,
    HEAD_LAYERS,
    HEAD_WIDTHS,
    STAGE_CHANNELS,
    STAGE_CHOICES,
    STAGE_STRIDES,
    STEM_CHANNELS,
    Architecture,
    TowerChoice,
    round_channels,
)
from pytracking_et.network.constants import STRIDE, TEMPLATE_CELLS
from pytracking_et.network.trackers import FUSED_CHANNELS

BLOCK_CHOICES = len(BACKBONE_KERNELS) * len(BACKBONE_EXPANSIONS)
SEARCH = 256
# Stage that the feature is taken from, counted from 0.
LAST_STAGE = 3
_SKIP = HEAD_KERNELS.index(None)
# Chance of each digit to be drawn anew.
MUTATION = 0.1


@dataclass(frozen=True)
class Tower:
    """Digits of a head tower: width, then one a layer."""

    width: int
    layers: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.width}{''.join(map(str, self.layers))}"


@dataclass(frozen=True)
class Genes:
    """An architecture as digits; `str()` gives the string that `network.build` takes.

    Attributes:
        blocks: 18 digits; those behind the output are 0 and not built.
        output: block of LAST_STAGE.
    """

    blocks: tuple[int, ...]
    cls: Tower
    reg: Tower
    output: int

    def __str__(self) -> str:
        digits = "".join(map(str, self.blocks))
        return f"back_0{digits}0+cls_{self.cls}+reg_{self.reg}_ops_{LAST_STAGE}{self.output}"


def built_blocks(output: int) -> int:
    """Number of blocks up to and including the output."""
    return sum(STAGE_CHOICES[:LAST_STAGE]) + output + 1


def sample(draw: random.Random) -> Genes:
    """A uniformly random architecture."""
    output = draw.randrange(STAGE_CHOICES[LAST_STAGE])
    blocks = tuple(draw.randrange(BLOCK_CHOICES) for _ in range(sum(STAGE_CHOICES)))
    return _trimmed(Genes(blocks, _tower(draw), _tower(draw), output))


def _tower(draw: random.Random) -> Tower:
    layers = [draw.randrange(len(HEAD_KERNELS)) for _ in range(HEAD_LAYERS)]
    layers[0] = draw.randrange(_SKIP)
    return Tower(draw.randrange(len(HEAD_WIDTHS)), tuple(layers))


def _trimmed(genes: Genes) -> Genes:
    """Zeros behind the output, so that equal networks have equal strings."""
    kept = built_blocks(genes.output)
    return replace(genes, blocks=genes.blocks[:kept] + (0,) * (len(genes.blocks) - kept))


def mutate(genes: Genes, draw: random.Random, chance: float = MUTATION) -> Genes:
    """Draw each digit anew with probability `chance`."""
    other = sample(draw)

    def pick(old: int, new: int) -> int:
        return new if draw.random() < chance else old

    def tower(old: Tower, new: Tower) -> Tower:
        layers = tuple(pick(a, b) for a, b in zip(old.layers, new.layers, strict=True))
        return Tower(pick(old.width, new.width), layers)

    # `other` is trimmed: digits behind its output are drawn here instead.
    fresh = tuple(draw.randrange(BLOCK_CHOICES) for _ in genes.blocks)
    blocks = tuple(pick(a, b) for a, b in zip(genes.blocks, fresh, strict=True))
    return _trimmed(
        Genes(
            blocks,
            tower(genes.cls, other.cls),
            tower(genes.reg, other.reg),
            pick(genes.output, other.output),
        )
    )


def cross(one: Genes, two: Genes, draw: random.Random) -> Genes:
    """Each digit from one parent or the other; the output takes its blocks' parent's chance too."""

    def pick(a: int, b: int) -> int:
        return draw.choice((a, b))

    def tower(a: Tower, b: Tower) -> Tower:
        layers = tuple(pick(x, y) for x, y in zip(a.layers, b.layers, strict=True))
        return Tower(pick(a.width, b.width), layers)

    blocks = tuple(pick(a, b) for a, b in zip(one.blocks, two.blocks, strict=True))
    output = pick(one.output, two.output)
    return _trimmed(Genes(blocks, tower(one.cls, two.cls), tower(one.reg, two.reg), output))


@cache
def macs(architecture: str) -> int:
    """Multiply-adds of one search crop of SEARCH px, by formula.

    Thousands a second, where counting takes a forward. Convolutions and products only, as
    `pytracking_et.benchmark.roofline.count` counts them (a test compares).
    """
    parsed = Architecture.parse(architecture)
    side = SEARCH // 2
    total = 27 * STEM_CHANNELS * side**2
    total += (9 + STEM_CHANNELS) * STEM_CHANNELS * side**2 + _gate_macs(STEM_CHANNELS)
    inputs = STEM_CHANNELS
    for stage, outputs, stride in zip(parsed.stages, STAGE_CHANNELS, STAGE_STRIDES, strict=False):
        for place, block in enumerate(stage):
            width = round_channels(inputs * block.expansion)
            total += inputs * width * side**2
            side //= stride if place == 0 else 1
            total += (block.kernel**2 + outputs) * width * side**2 + _gate_macs(width)
            inputs = outputs
    cells = (SEARCH // STRIDE) ** 2
    kernels = TEMPLATE_CELLS**2
    total += kernels * inputs * cells + 2 * kernels**2 + kernels * FUSED_CHANNELS * cells
    return total + _tower_macs(parsed.cls, cells, 1) + _tower_macs(parsed.reg, cells, 4)


def _gate_macs(width: int) -> int:
    return 2 * width * round_channels(width / 4)


def _tower_macs(tower: TowerChoice, cells: int, outputs: int) -> int:
    total, inputs = 0, FUSED_CHANNELS
    for kernel in tower.kernels:
        total += (kernel**2 + tower.width) * inputs * cells
        inputs = tower.width
    return total + 9 * tower.width * outputs * cells


# Draws for one member of a population before the limit is called too low.
ATTEMPTS = 500


@dataclass(frozen=True)
class Candidate:
    """An architecture with its multiply-adds and its fitness (higher is better)."""

    genes: Genes
    macs: int
    fitness: float


def evolve(
    fitness: Callable[[Genes], float],
    limit: int,
    generations: int,
    population: int = 50,
    parents: int = 10,
    seed: int = 0,
    report: Callable[[int, Candidate], None] = lambda *_: None,
) -> tuple[Candidate, dict[str, Candidate]]:
    """Search; each architecture is measured once.

    The same seed and fitness draw the same architectures.

    Args:
        fitness: accuracy of an architecture.
        limit: most multiply-adds.
        report: called after each generation, with the best candidate so far.

    Returns:
        The best candidate of all generations, and all candidates by their names.

    Raises:
        ParameterError: the limit leaves no architecture, or sizes that make no population.
    """
    if generations < 1 or population < 2 or not 1 <= parents <= population:
        raise ParameterError(
            f"generations {generations}, population {population}, parents {parents}: "
            "give at least one generation, two members, and no more parents than members"
        )
    draw = random.Random(seed)
    seen: dict[str, Candidate] = {}
    best: list[Candidate] = []

    def child() -> Genes:
        one, two = draw.choice(best).genes, draw.choice(best).genes
        if draw.random() < 0.5:
            return mutate(one, draw)
        return mutate(cross(one, two, draw), draw, MUTATION / 2)

    for generation in range(generations):
        for genes in _members(child if best else lambda: sample(draw), population, limit):
            if str(genes) not in seen:
                seen[str(genes)] = Candidate(genes, macs(str(genes)), fitness(genes))
        ranked = sorted(seen.values(), key=lambda c: (-c.fitness, c.macs, str(c.genes)))
        best = ranked[:parents]
        report(generation, best[0])
    return best[0], seen


def _members(make: Callable[[], Genes], population: int, limit: int) -> list[Genes]:
    """Different architectures within the limit."""
    members: list[Genes] = []
    for _ in range(ATTEMPTS * population):
        genes = make()
        if genes not in members and macs(str(genes)) <= limit:
            members.append(genes)
        if len(members) == population:
            return members
    raise ParameterError(
        f"only {len(members)} of {population} architectures found with at most "
        f"{limit / 1e6:.0f} M multiply-adds; raise the limit or shrink the population"
    )
