"""Architecture search: `python -m ltr_et.research.search`.

    python -m ltr_et.research.search sample --count 5
    python -m ltr_et.research.search run --crops CROPS --steps 200 --max-macs 400 --output search

`sample` prints random architectures with their cost. `run` trains the supernet, evolves under the
limit, and writes the best architecture; run it again to go on where it was stopped.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import torch

from pytracking_et import network, process
from pytracking_et.engines.runtimes.torch import engine_of
from pytracking_et.errors import DatasetError, PytrackingETError
from pytracking_et.files import read_json, reading, write_json

from ...actors import Batch
from ...data.crops import CropStore
from ...data.pairs import CropPairs
from ...settings import NOT_NEGATIVE, ONE_OR_MORE, check_numbers
from ...training.data import PairValidation, collate, held_out_validation
from ..ablation.costs import latency_ms
from .space import Candidate, Genes, evolve, macs, sample
from .supernet import RECALIBRATION_BATCHES, Batches, extracted, judge, train

log = logging.getLogger(__name__)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ltr_et.research.search", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("sample", help="random architectures, multiply-adds and latency")
    one.add_argument("--count", type=int, default=5)
    one.add_argument("--no-latency", action="store_true", help="only what takes no measuring")
    two = commands.add_parser("run", help="supernet, evolution, best architecture")
    two.add_argument("--crops", type=Path, required=True, help="crop store of the training pack")
    two.add_argument("--output", type=Path, default=Path("training/search"))
    two.add_argument("--steps", type=int, default=200, help="training steps of the supernet")
    two.add_argument("--batch", type=int, default=16)
    two.add_argument("--validation-pairs", type=int, default=64)
    two.add_argument("--max-macs", type=float, default=500.0, help="limit in millions")
    two.add_argument("--population", type=int, default=8)
    two.add_argument("--parents", type=int, default=3)
    two.add_argument("--generations", type=int, default=3)
    for each in (one, two):
        each.add_argument("--seed", type=int, default=0)
        each.add_argument("--threads", type=int, default=0)
    return parser.parse_args(arguments)


def print_samples(options: argparse.Namespace) -> int:
    """Random architectures, one a line; latency is that of the torch engine, random weights."""
    draw = random.Random(options.seed)
    for _ in range(options.count):
        genes = sample(draw)
        net = network.build(str(genes))
        parameters = sum(p.numel() for p in net.parameters())
        line = f"{genes}  {macs(str(genes)) / 1e6:6.0f} M multiply-adds  {parameters / 1e6:.2f} M"
        print(line if options.no_latency else f"{line}  {latency_ms(engine_of(net), 2, 7):.1f} ms")
    return 0


def _data(options: argparse.Namespace) -> tuple[Batches, PairValidation, list[Batch]]:
    """Batches from a step on, validation, batches for statistics."""
    pairs = CropPairs(CropStore(options.crops, held_out=False), options.seed)

    def batch_of(epoch: int, number: int) -> Batch:
        first = number * options.batch
        return collate([pairs[epoch, item] for item in range(first, first + options.batch)])

    def batches(step: int) -> Iterator[Batch]:
        return (batch_of(0, number) for number in itertools.count(step))

    validation = held_out_validation(options.crops, options.validation_pairs)
    if validation is None:
        raise DatasetError(
            f"{options.crops} holds no held-out clip to judge architectures on (too few clips); "
            "build it from more data"
        )
    statistics = [batch_of(1, number) for number in range(RECALIBRATION_BATCHES)]
    return batches, validation, statistics


class Overlaps:
    """What has been measured of one supernet, kept in a file so that a stopped search goes on.

    Args:
        supernet: what the values depend on; others are not taken.
    """

    def __init__(self, path: Path, supernet: str) -> None:
        self.path, self.supernet = path, supernet
        self.values: dict[str, float] = {}
        if path.is_file():
            advice = "delete it to measure all architectures again"
            with reading(path, PytrackingETError, advice):
                stored = read_json(path, PytrackingETError, advice)
                if stored["supernet"] == supernet:
                    self.values = {name: float(v) for name, v in stored["values"].items()}

    def add(self, name: str, value: float) -> None:
        """Note an architecture's overlap."""
        self.values[name] = value
        write_json(self.path, {"supernet": self.supernet, "values": self.values})


def search(options: argparse.Namespace) -> Candidate:
    """Train the supernet, evolve, write `best.json` and `best.safetensors`."""
    batches, validation, statistics = _data(options)
    options.output.mkdir(parents=True, exist_ok=True)
    net, _ = train(options.steps, options.seed, batches, options.output, batch=options.batch)

    measured = (
        f"{options.steps} steps of {options.batch}, seed {options.seed}, "
        f"{options.validation_pairs} validation pairs"
    )
    known = Overlaps(options.output / "overlaps.json", measured)

    def fitness(genes: Genes) -> float:
        name = str(genes)
        if name not in known.values:
            known.add(name, judge(net, validation, statistics, genes))
        log.info("%s  %.0f M  overlap %.3f", name, macs(name) / 1e6, known.values[name])
        return known.values[name]

    limit = int(options.max_macs * 1e6)
    best, seen = evolve(
        fitness, limit, options.generations, options.population, options.parents, options.seed,
        _report,
    )  # fmt: skip
    name = str(best.genes)
    found = extracted(net, statistics, best.genes)
    network.weights.save(options.output / "best.safetensors", found.state_dict(), {"network": name})
    record = {
        "architecture": name,
        "macs": best.macs,
        "overlap": best.fitness,
        "limit": limit,
        "steps": options.steps,
        "tried": {key: {"macs": one.macs, "overlap": one.fitness} for key, one in seen.items()},
    }
    write_json(options.output / "best.json", record)
    return best


def _report(generation: int, best: Candidate) -> None:
    log.info("generation %d: overlap %.3f at %.0f M", generation, best.fitness, best.macs / 1e6)


_NUMBERS = {
    **dict.fromkeys(("count", "steps", "batch", "validation_pairs"), ONE_OR_MORE),
    **dict.fromkeys(("max_macs", "threads"), NOT_NEGATIVE),
}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; 2 for what the user can mend."""
    options = parse(arguments)

    def work() -> int:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        given = vars(options)
        check_numbers("--", given, {n: bound for n, bound in _NUMBERS.items() if n in given})
        if options.threads:
            torch.set_num_threads(options.threads)
        if options.command == "sample":
            return print_samples(options)
        best = search(options)
        print(f"{best.genes}\n{best.macs / 1e6:.0f} M multiply-adds, overlap {best.fitness:.3f}")
        print(f"train it: network={best.genes}; start: {options.output / 'best.safetensors'}")
        return 0

    return process.run("ltr_et.research.search", work, lambda: "the same command goes on")


if __name__ == "__main__":
    raise SystemExit(main())
