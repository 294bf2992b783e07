"""Actors: what is computed on a batch and which loss it gives."""

from .base import BaseActor, Batch
from .et_tracker import ETActor, LossWeights

__all__ = ["BaseActor", "Batch", "ETActor", "LossWeights"]
