"""The engines there are: what each needs and which precisions it has. None is imported."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple

from ..errors import EngineError


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
    if threads is not None and threads < 1:
        raise EngineError(f"threads is {threads}; give 1 or more, or None for the default")


def installed(engine: str) -> bool:
    """Whether the package of an engine is there (it is not imported)."""
    return importlib.util.find_spec(ENGINES[engine].package) is not None
