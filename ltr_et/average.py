"""Average of trained weights: steadier than any of them where training has gone flat.

    python -m ltr_et.average A.safetensors B.safetensors C.safetensors --shares 2 2 1 --output FILE

Made for runs that started from the same weights (model soups, arXiv 2203.05482). BatchNorm
statistics are the first file's; the others' affine parts are moved along before the average, so
that each layer keeps computing what it did (see `batch_norm`). Metadata is the first file's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pytracking_et import network, process
from pytracking_et.errors import ParameterError

from .batch_norm import take_statistics


def average(nets: Sequence[nn.Module], shares: Sequence[float]) -> dict[str, Tensor]:
    """Weighted mean of networks of one configuration.

    Args:
        nets: in eval mode; all but the first get the first's BatchNorm statistics.
        shares: a positive weight for each; their sum need not be one.

    Raises:
        ParameterError: fewer than two networks, or shares that do not go with them.
    """
    if len(nets) < 2:
        raise ParameterError(f"an average takes two networks or more, not {len(nets)}")
    if len(shares) != len(nets) or min(shares) <= 0:
        raise ParameterError(
            f"shares {list(shares)} for {len(nets)} networks: give each a positive one"
        )
    for net in nets[1:]:
        take_statistics(net, nets[0])
    states = [net.state_dict() for net in nets]
    weights = torch.tensor(shares, dtype=torch.float64) / sum(shares)
    mean = {}
    for name, first in states[0].items():
        mean[name] = first
        if first.is_floating_point():
            values = torch.stack([state[name].double() for state in states])
            mean[name] = torch.tensordot(weights, values, 1).to(first.dtype)
    return mean


def average_files(paths: Sequence[Path], shares: Sequence[float], output: Path) -> None:
    """Average weight files of one configuration into a file of float16.

    Raises:
        CheckpointError: a file that is missing or does not fit the first one's network.
        ParameterError: see `average`.
    """
    texts = network.weights.metadata(paths[0])
    nets = []
    for path in paths:
        net = network.build(texts.get("network", "et_tracker"))
        network.weights.load(net, path)
        nets.append(net.eval())
    network.weights.save(output, average(nets, shares), texts)


def main(arguments: list[str] | None = None) -> int:
    """Command line; 2 for what cannot be averaged."""
    parser = argparse.ArgumentParser(
        prog="python -m ltr_et.average", description=__doc__.split("\n")[0]
    )
    parser.add_argument("weights", nargs="+", type=Path, help="two weight files or more")
    parser.add_argument("--shares", nargs="+", type=float, help="one for each (default: alike)")
    parser.add_argument("--output", type=Path, required=True, help="weight file to write")
    options = parser.parse_args(arguments)

    def work() -> int:
        shares = options.shares or [1.0] * len(options.weights)
        average_files(options.weights, shares, options.output)
        print(f"wrote {options.output}")
        return 0

    return process.run("ltr_et.average", work)


if __name__ == "__main__":
    sys.exit(main())
