"""PyTorch, eager, under inference_mode."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import EngineError
from ..network.constants import MEAN, STD
from ..network.registry import build
from ..network.trackers import TrackingNetwork
from ..network.weights import load


class TorchEngine:
    """A `TrackingNetwork` in eval mode; see `base.Engine` for shapes."""

    def __init__(self, network: TrackingNetwork, device: str = "cpu") -> None:
        self.network = network.eval().to(device)
        self.device = torch.device(device)
        self.name = "torch f32"
        self._mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(STD, device=device).view(1, 3, 1, 1) * 255
        self._template: torch.Tensor | None = None

    def _tensor(self, image: NDArray[np.uint8]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(image)).to(self.device)
        return (tensor.permute(2, 0, 1).unsqueeze(0).float() - self._mean) / self._std

    def template(self, image: NDArray[np.uint8]) -> None:
        """Remember the target: (T, T, 3) uint8 RGB."""
        with torch.inference_mode():
            self._template = self.network.template(self._tensor(image))

    def track(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Search crop (S', S', 3) uint8 RGB -> score (S, S), distances (4, S, S)."""
        if self._template is None:
            raise EngineError("track before template: this engine has no target yet")
        with torch.inference_mode():
            cls, reg = self.network.track(self._template, self._tensor(image))
            return torch.sigmoid(cls)[0, 0].cpu().numpy(), reg[0].cpu().numpy()

    def clone(self) -> TorchEngine:
        """Engine for another target with the same network."""
        twin = copy.copy(self)
        twin._template = None
        return twin

    def __deepcopy__(self, memory: dict[int, Any]) -> TorchEngine:
        # The template is replaced, never written to, so both may hold the same one.
        return copy.copy(self)


def open_engine(network: str, checkpoint: str, **_: Any) -> TorchEngine:
    """Build a network, fit its weights, wrap it."""
    module = build(network)
    load(module, checkpoint)
    return TorchEngine(module, "cuda" if torch.cuda.is_available() else "cpu")
