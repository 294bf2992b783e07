"""PyTorch: the prepared graphs under inference_mode; the engine that is always there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import EngineError
from ...network.trackers import TrackingNetwork
from ..base import Crop, Maps, TargetEngine
from ..catalogue import Model
from ..inference import SearchGraph, TemplateGraph, graphs, load_graphs, own_settings

_forked = False


def _after_fork() -> None:
    """Compute in one thread from here on.

    GNU OpenMP's threads are not there in a forked child, which would wait for them for ever.
    """
    global _forked
    _forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def exact_convolutions(device: torch.device) -> AbstractContextManager[None]:
    """float32 convolutions on a GPU, which cuDNN would round to ten bits (TF32) by default.

    That moves distances by 0.1 px, more than a float32 engine may.
    """
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    # What is not named would be set to the library's own defaults.
    return cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    )


class TorchRuntime:
    """The graphs of a network as torch modules, on the CPU or a CUDA device."""

    def __init__(
        self,
        template: TemplateGraph,
        search: SearchGraph,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        self.device = torch.device(device)
        self._check_fork()
        self._template, self._search = template.to(device), search.to(device)
        self._threads = threads
        self.name = "torch f32"

    @property
    def threads(self) -> int | None:
        """CPU threads; None: as the process has set."""
        return 1 if _forked else self._threads

    def _check_fork(self) -> None:
        if self.device.type == "cuda" and torch.cuda._is_in_bad_fork():
            raise EngineError(
                "CUDA was used before this process was forked, and does not survive that; start "
                "processes with multiprocessing.get_context('spawn')"
            )

    @contextmanager
    def _settings(self) -> Iterator[None]:
        self._check_fork()
        with (
            own_settings(self.device.type, self.threads),
            torch.inference_mode(),
            exact_convolutions(self.device),
        ):
            yield

    def _tensor(self, image: NDArray[np.uint8]) -> Tensor:
        # torch refuses read-only arrays, which frames from a video may be.
        return torch.from_numpy(np.require(image, requirements="W"))[None].to(self.device)

    def template(self, image: Crop) -> Tensor:
        """Template feature (1, 96, 8, 8) of a (T, T, 3) uint8 RGB crop."""
        with self._settings():
            return self._template(self._tensor(image))

    def track(self, template: Tensor, image: Crop) -> Maps:
        """Score (S, S) and distances (4, S, S) of a (S', S', 3) uint8 RGB crop."""
        with self._settings():
            score, distances = self._search(template, self._tensor(image))
            return score.cpu().numpy(), distances.cpu().numpy()


def engine_of(network: TrackingNetwork, device: str = "cpu") -> TargetEngine:
    """Engine over a network that is not in a file (training, tests); the network is copied."""
    return TargetEngine(TorchRuntime(*graphs(network), device))


def open_file(model: Model, threads: int | None) -> TorchRuntime:
    """Build a network, fit its weights, prepare it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    _, template, search = load_graphs(model.network, model.path)
    return TorchRuntime(template, search, device, threads)
