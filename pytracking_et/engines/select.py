"""From a name to an engine; each is opened once per process and shared by all its targets."""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import EngineError, pip_line
from ..network import weights
from .base import Runtime, TargetEngine
from .prepare import exported

# name: (module in this package, package it needs, precisions it has)
ENGINES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "openvino": ("openvino_engine", "openvino", ("f32", "bf16", "int8")),
    "onnx": ("onnx_engine", "onnxruntime", ("f32", "int8")),
    "torch": ("torch_engine", "torch", ("f32",)),
}
PRECISIONS = ("f32", "bf16", "int8")


def create(
    engine: str = "auto",
    network: str = "et_tracker",
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    precision: str = "auto",
) -> TargetEngine:
    """Open an engine for a network and its weights.

    Args:
        engine: a name in `ENGINES`, or "auto": the fastest here that agrees with the network.
        network: configuration name.
        checkpoint: weight file; None searches (see `network.weights.places`).
        threads: CPU threads of this process; None leaves the library's default.
        precision: a name in `PRECISIONS` where the engine has it, or "auto": the fastest that
            keeps the accuracy.

    Raises:
        CheckpointError: no weights, or they do not fit.
        EngineError: unknown or unavailable engine or precision.
    """
    check_names(engine, precision, threads)
    path = weights.find(network, checkpoint)
    digest = weights.fingerprint(path)
    return TargetEngine(*_open(engine, network, str(path), digest, threads, precision))


def check_names(engine: str, precision: str, threads: int | None) -> None:
    """Refuse what no installation has.

    Raises:
        EngineError: unknown names or a number of threads below one.
    """
    if engine != "auto" and engine not in ENGINES:
        raise EngineError(f"unknown engine {engine!r}; one of: auto, {', '.join(ENGINES)}")
    if precision != "auto" and precision not in PRECISIONS:
        raise EngineError(f"unknown precision {precision!r}; one of: auto, {', '.join(PRECISIONS)}")
    if engine != "auto" and precision != "auto" and precision not in ENGINES[engine][2]:
        raise EngineError(
            f"engine {engine!r} has no precision {precision!r}; it has: "
            f"{', '.join(ENGINES[engine][2])}"
        )
    if threads is not None and threads < 1:
        raise EngineError(f"threads is {threads}; give 1 or more, or None for the default")


def installed(engine: str) -> bool:
    """Whether the package of an engine is there (it is not imported)."""
    return importlib.util.find_spec(ENGINES[engine][1]) is not None


def require(engine: str) -> None:
    """Refuse an engine whose package is missing.

    Raises:
        EngineError: names the line that installs it.
    """
    if not installed(engine):
        raise EngineError(
            f"the engine {engine!r} needs the package {ENGINES[engine][1]}, which is not "
            f"installed; {pip_line(engine)}, or use --engine torch"
        )


@lru_cache(maxsize=8)
def _open(
    engine: str, network: str, path: str, digest: str, threads: int | None, precision: str
) -> tuple[Runtime, Any]:
    import threading

    if engine == "auto" or precision == "auto":
        from .auto import choose

        runtime = choose(engine, precision, network, Path(path), digest, threads)
    else:
        runtime = open_runtime(engine, precision, network, Path(path), digest, threads)
    return runtime, threading.Lock()


def open_runtime(
    engine: str, precision: str, network: str, path: Path, digest: str, threads: int | None
) -> Runtime:
    """Open one engine at one precision; exports first where the cache lacks it.

    Raises:
        EngineError: not installed, or it cannot run this network.
    """
    require(engine)
    module = importlib.import_module(f"{__package__}.{ENGINES[engine][0]}")
    if engine == "torch":
        return module.open_file(network, path, threads)
    folder, metadata = exported(network, path, digest, precision)

    def add(kind: str, side: int) -> None:
        from .export import add_graph

        try:
            add_graph(network, path, folder, kind, side)
        except OSError as error:
            raise EngineError(
                f"the graph for crops of {side} pixels cannot be added to {folder} ({error}); "
                "name another cache with PYTRACKING_ET_CACHE"
            ) from error

    return module.open_folder(folder, metadata, threads, add, precision, keep_compiled=True)
