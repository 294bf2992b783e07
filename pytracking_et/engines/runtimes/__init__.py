"""What the ONNX Runtime and OpenVINO engines have in common: graphs by kind and side, on demand.

And what programs in C need around them: numbers with a point, freed memory given back.
"""

from __future__ import annotations

import ctypes
import locale
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ..base import Crop, Maps
from ..package import Metadata, graph_name

# A compiled graph: input arrays by position -> output arrays of the caller's own.
Compiled = Callable[[Sequence[NDArray[Any]]], list[NDArray[np.float32]]]
T = TypeVar("T")


@contextmanager
def c_numbers() -> Iterator[None]:
    """Have C libraries write and read numbers with a point, as graph files need it.

    Under LC_NUMERIC of Germany, which any Qt window may set, OpenVINO writes 9,99e-06 into its
    files, and reads 9 from them.
    """
    before = locale.setlocale(locale.LC_NUMERIC)
    if before == "C":
        yield
        return
    locale.setlocale(locale.LC_NUMERIC, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


def return_freed_memory() -> None:
    """Give memory that was freed back to the system, which glibc does only when told to.

    Compiling a graph leaves some 10 MB; elsewhere there is nothing to call.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Import OpenVINO so that it tells nobody.

    With the package `openvino_telemetry`, which pip installs beside it, the import alone writes an
    identity into the user's home folder, forks the process and sends a message to Google Analytics;
    without a network the end of the program waits for that. A program that imported OpenVINO
    before us has it as it wanted it.
    """
    name = "openvino_telemetry"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


class GraphRuntime:
    """A runtime over a folder of exported graphs; a graph is compiled when first needed."""

    engine = ""

    def __init__(
        self,
        folder: Path,
        metadata: Metadata,
        threads: int | None = None,
        add: Callable[[str, int], None] | None = None,
        precision: str | None = None,
        compiled_folder: Path | None = None,
    ) -> None:
        """Take a folder.

        Args:
            folder: checked by the caller.
            metadata: of the folder.
            threads: CPU threads; None leaves the runtime's default.
            add: writes the graph of a kind and side that the folder lacks; None where it cannot.
            precision: to compute in, where it is not what the graphs say.
            compiled_folder: to keep compiled graphs in for the next start; None keeps none.
        """
        self.compiled_folder = compiled_folder
        self.folder, self.metadata, self.threads, self._add = folder, metadata, threads, add
        self.precision = precision or metadata.precision
        self.name = f"{self.engine} {self.precision}"
        self._compiled: dict[tuple[str, int], Compiled] = {}

    def compile(self, path: Path) -> Compiled:
        """Load one graph file."""
        raise NotImplementedError

    def graph(self, kind: str, side: int) -> Compiled:
        """The compiled template or search graph for crops of `side` pixels."""
        key = (kind, side)
        if key not in self._compiled:
            suffix = ".xml" if self.metadata.format == "openvino" else ".onnx"
            path = self.folder / graph_name(kind, side, suffix)
            if not path.is_file():
                if self._add is None:
                    raise EngineError(
                        f"{self.folder} has no {kind} graph for crops of {side} pixels; it has "
                        f"templates {self.metadata.templates}, searches {self.metadata.searches}; "
                        "set one of these in the parameter file, or give the weight file itself"
                    )
                with c_numbers():
                    self._add(kind, side)
            with c_numbers():
                self._compiled[key] = self.compile(path)
        return self._compiled[key]

    def template(self, image: Crop) -> NDArray[np.float32]:
        """Template feature (1, 96, 8, 8) of a (T, T, 3) uint8 RGB crop."""
        return self.graph("template", image.shape[0])([image[None]])[0]

    def track(self, template: NDArray[np.float32], image: Crop) -> Maps:
        """Score (S, S) and distances (4, S, S) of a (S', S', 3) uint8 RGB crop."""
        score, distances = self.graph("search", image.shape[0])([template, image[None]])
        return score, distances
