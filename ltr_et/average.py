"""Averages of weights: along a run (`EMA`), and of trained files.

    python -m ltr_et.average A.safetensors B.safetensors C.safetensors --shares 2 2 1 --output FILE

The second is made for runs that started from the same weights (model soups, arXiv 2203.05482).
BatchNorm statistics are the first file's; the others' affine parts are moved along before the
average, so that each layer keeps computing what it did (see `batch_norm`). Metadata is the first
file's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from pytracking_et import network, process
from pytracking_et.errors import ParameterError

from .batch_norm import take_statistics


class EMA:
    """Averages of all floating-point entries of a module's state dict.

    Args:
        module: the network under training; its current state is the first average.
        decay: share of the old average kept at each update. Early on the share is
            (1 + updates) / (10 + updates) if that is less, so that the start is soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float = 0.998) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"EMA decay {decay} is not in [0, 1)")
        self.decay = decay
        self.updates = 0
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the averages towards the module's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = [], []
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                averages.append(self.state[name])
                values.append(value)
            else:
                self.state[name].copy_(value)
        torch._foreach_lerp_(averages, values, 1 - decay)

    @contextmanager
    def applied_to(self, module: nn.Module) -> Iterator[None]:
        """Lend the averages to the module (for validation), then give its own weights back."""
        own = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(self.state)
        try:
            yield
        finally:
            module.load_state_dict(own)

    def state_dict(self) -> dict[str, Tensor | int]:
        """Averages and number of updates, for a checkpoint."""
        return {**self.state, "__updates__": self.updates}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Take over what `state_dict` returned."""
        state = dict(state)
        self.updates = int(state.pop("__updates__"))
        for name, value in self.state.items():
            value.copy_(state[name])


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
