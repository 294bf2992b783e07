"""OpenVINO on the CPU; reads its own format and ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from . import seal
from .files_runtime import Compiled, GraphRuntime

try:
    import openvino
except ImportError as error:
    raise EngineError(
        f"the engine 'openvino' needs the package openvino ({error}); "
        "install 'pytracking-et[openvino]'"
    ) from error

VERSION = str(openvino.__version__)
# What OpenVINO may round matrix products to, by precision name. int8 graphs carry their own
# quantisation; the rest of them stays float32.
HINTS = {"bf16": "bf16"}


@lru_cache(maxsize=1)
def _core() -> openvino.Core:
    return openvino.Core()


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16; elsewhere OpenVINO would only pretend to."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


class OpenVinoRuntime(GraphRuntime):
    """Graphs as compiled OpenVINO models."""

    engine = "openvino"

    def compile(self, path: Path) -> Compiled:
        """Compile a graph; raises EngineError where the file is none."""
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": HINTS.get(self.precision, "f32"),
            # Pinned, the workers of an evaluation would all sit on the first core.
            "ENABLE_CPU_PINNING": False,
        }
        if self.threads is not None:
            settings["INFERENCE_NUM_THREADS"] = self.threads
        kept = self.folder / f"compiled-{VERSION.partition('-')[0]}"
        if self.keep_compiled and seal.check(kept):
            # Halves the time to start and spares memory.
            settings["CACHE_DIR"] = str(kept)
        before = _names(kept)
        try:
            model = _core().compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise EngineError(f"openvino {VERSION} cannot open {path}: {error}") from error
        if "CACHE_DIR" in settings and _names(kept) != before:
            seal.seal(kept)
        request = model.create_infer_request()

        def run(arrays: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
            outputs = request.infer(list(arrays), share_inputs=True)
            return [np.array(value) for value in outputs.values()]

        return run


def open_folder(*arguments: Any, **keywords: Any) -> OpenVinoRuntime:
    """Runtime over a folder of graphs; arguments of `GraphRuntime`."""
    return OpenVinoRuntime(*arguments, **keywords)
