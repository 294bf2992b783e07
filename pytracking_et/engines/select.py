"""From a name to an engine; each is opened once per process and shared by all its targets."""

from __future__ import annotations

import importlib
import os
from functools import lru_cache

from ..errors import EngineError
from ..network import weights
from .base import Engine

# name: module in this package with `open_engine(network, checkpoint, threads, precision)`.
ENGINES = {
    "torch": "torch_engine",
}


def create(
    engine: str = "auto",
    network: str = "et_tracker",
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    precision: str = "auto",
) -> Engine:
    """Open an engine for a network and its weights.

    Args:
        engine: a name in `ENGINES`, or "auto".
        network: configuration name.
        checkpoint: weight file; None searches (see `network.weights.places`).
        threads: CPU threads of this process; None leaves the library's default.
        precision: "f32", "bf16", "int8" or "auto", where the engine has it.

    Raises:
        CheckpointError: no weights, or they do not fit.
        EngineError: unknown or unavailable engine.
    """
    path = weights.find(network, checkpoint)
    shared = _open(engine, network, str(path), weights.fingerprint(path), threads, precision)
    return shared.clone()


@lru_cache(maxsize=8)
def _open(
    engine: str, network: str, path: str, digest: str, threads: int | None, precision: str
) -> Engine:
    name = "torch" if engine == "auto" else engine
    if name not in ENGINES:
        raise EngineError(f"unknown engine {engine!r}; one of: auto, {', '.join(ENGINES)}")
    module = importlib.import_module(f"{__package__}.{ENGINES[name]}")
    return module.open_engine(network, path, threads=threads, precision=precision)
