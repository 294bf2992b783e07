"""What there is to run: engines, what each needs and can, models, and what the CPU is good for.

No engine is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import EngineError
from ..machine import cpu_flags
from ..network import weights


class Row(NamedTuple):
    """One engine.

    Attributes:
        module: in this package.
        package: that it needs, by the name it is imported under.
        extra: of this project, that installs it.
        precisions: it can run at.
    """

    module: str
    package: str
    extra: str
    precisions: tuple[str, ...]


# By name, most promising first.
ENGINES = {
    "openvino": Row("runtimes.openvino", "openvino", "openvino", ("f32", "bf16", "int8")),
    "onnx": Row("runtimes.onnx", "onnxruntime", "onnx", ("f32", "int8")),
    "torch": Row("runtimes.torch", "torch", "torch", ("f32",)),
}
PRECISIONS = ("f32", "bf16", "int8")
# Engines that read a format, most promising first; the last one is the format's own.
READERS = {"onnx": ("openvino", "onnx"), "openvino": ("openvino",)}
# Instruction sets (Linux's names) without which a precision is slower than float32.
INSTRUCTIONS = {
    "bf16": frozenset({"avx512_bf16", "amx_bf16"}),
    "int8": frozenset({"avx512_vnni", "avx_vnni", "amx_int8"}),
}
# Share of the CPUs that others may keep busy while a measurement still says something.
_BUSY = 0.5


class Model(NamedTuple):
    """A network and its weight file.

    Attributes:
        network: configuration name.
        path: weight file.
        digest: sha256 of the weight file: exports, ranges and choices belong to its content.
    """

    network: str
    path: Path
    digest: str

    @staticmethod
    def find(
        network: str = "et_tracker", checkpoint: str | os.PathLike[str] | None = None
    ) -> Model:
        """Look for the weights of a network; None searches (see `network.weights.places`).

        The path is absolute: graphs are opened when first needed, in whatever folder we are then.

        Raises:
            CheckpointError: no weights.
        """
        path = weights.find(network, checkpoint).absolute()
        return Model(network, path, weights.fingerprint(path))


def check_names(engine: str, precision: str, threads: int | None) -> None:
    """Refuse what no installation has.

    Raises:
        EngineError: unknown names or a number of threads below one.
    """
    if engine != "auto" and engine not in ENGINES:
        raise EngineError(f"unknown engine {engine!r}; one of: auto, {', '.join(ENGINES)}")
    if precision != "auto" and precision not in PRECISIONS:
        raise EngineError(f"unknown precision {precision!r}; one of: auto, {', '.join(PRECISIONS)}")
    if engine != "auto" and precision != "auto" and precision not in ENGINES[engine].precisions:
        raise EngineError(
            f"engine {engine!r} has no precision {precision!r}; it has: "
            f"{', '.join(ENGINES[engine].precisions)}"
        )
    if threads is not None and not (isinstance(threads, Integral) and threads >= 1):
        raise EngineError(
            f"threads is {threads!r}; give a whole number from 1, or None for the default"
        )


def installed(engine: str) -> bool:
    """Whether the package of an engine is there (it is not imported)."""
    return importlib.util.find_spec(ENGINES[engine].package) is not None


def module(engine: str) -> Any:
    """The module of an engine, imported: it opens graphs, or a weight file."""
    return importlib.import_module(f"{__package__}.{ENGINES[engine].module}")


def computes_in(precision: str) -> bool:
    """Whether the CPU has instructions for a precision; only Linux tells."""
    return precision not in INSTRUCTIONS or bool(cpu_flags() & INSTRUCTIONS[precision])


def is_busy() -> bool:
    """Whether other programs keep the CPUs busy; False where the system does not tell."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1)
