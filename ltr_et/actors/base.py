"""The contract between trainer and task: `actor(data) -> (loss, stats)` (pytracking's ltr)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

Batch = dict[str, Any]


class BaseActor(nn.Module):
    """Computes the loss of a batch.

    A module, so that DistributedDataParallel can wrap it: its parameters are the network's.

    Args:
        net: network under training, at `self.net`.
    """

    net: nn.Module

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, data: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise (a scalar) and named values to log, 'Loss/total' first.

        Args:
            data: one batch; the trainer adds 'progress', the share of the stage that is done.
        """
        raise NotImplementedError
