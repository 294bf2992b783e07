"""Processes of one run: `torchrun` starts them, gloo or nccl connects them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pytracking_et.errors import DatasetError, ParameterError


@dataclass(frozen=True)
class Group:
    """This process among all of a run: rank of world, on a device."""

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """What of a batch is for each process.

        Raises:
            DatasetError: it cannot be shared.
        """
        if batch % self.world:
            raise DatasetError(
                f"batch {batch} cannot be shared by {self.world} processes; set stages.N.batch to "
                "a multiple"
            )
        return batch // self.world

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.world > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.world
        return values

    def any(self, flag: bool) -> bool:
        """True if any process says so; keeps processes in step."""
        if self.world == 1:
            return flag
        value = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item() > 0)

    def wrap(self, actor: nn.Module, partly: bool = False) -> nn.Module:
        """The actor with gradients averaged over the processes.

        Buffers are not broadcast: BatchNorm is frozen, or synchronised by SyncBatchNorm (CUDA).
        On CPUs it is left to each process, and the leader's running statistics are written.

        Args:
            partly: some parameters take no part in some steps (a backbone frozen at first).
        """
        if self.world == 1:
            return actor
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(
            actor, device_ids=devices, broadcast_buffers=False, find_unused_parameters=partly
        )


@contextmanager
def group(use_gpu: bool = True) -> Iterator[Group]:
    """Join the processes that torchrun started (RANK, WORLD_SIZE, LOCAL_RANK), or run alone.

    Raises:
        ParameterError: no GPU for this process, or its memory is full.
    """
    local = int(os.environ.get("LOCAL_RANK", 0))
    gpu = use_gpu and torch.cuda.is_available()
    if gpu and local >= torch.cuda.device_count():
        raise ParameterError(
            f"process {local} has no GPU of its own: there are {torch.cuda.device_count()}; start "
            "as many processes (--nproc-per-node), or give --cpu"
        )
    device = torch.device(f"cuda:{local}" if gpu else "cpu")
    if gpu:
        torch.cuda.set_device(device)
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Group(dist.get_rank(), world, device) if world > 1 else Group(device=device)
    except torch.cuda.OutOfMemoryError as error:
        raise ParameterError(
            f"{str(error).splitlines()[0]} Compute fewer pairs at a time, with --set "
            "stages.0.micro_batch=32 (of every stage), or give --cpu"
        ) from error
    finally:
        if world > 1:
            dist.destroy_process_group()
