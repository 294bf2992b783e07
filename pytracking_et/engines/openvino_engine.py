"""OpenVINO on the CPU; reads its own format and ONNX."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, pip_line
from . import seal
from .cache import notice
from .exported import Reference, agrees, reference_name
from .files_runtime import Compiled, GraphRuntime
from .host import cpu_name, return_freed_memory

try:
    import openvino
except ImportError as error:
    raise EngineError(
        f"the engine 'openvino' needs the package openvino ({error}); {pip_line('openvino')}"
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


def _compile(path: Path, settings: dict[str, Any]) -> openvino.CompiledModel:
    from .openvino_form import read

    return _core().compile_model(read(_core(), path), "CPU", settings)


class OpenVinoRuntime(GraphRuntime):
    """Graphs as compiled OpenVINO models."""

    engine = "openvino"

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.precision == "bf16" and not has_bf16():
            raise EngineError(
                f"this CPU ({cpu_name()}) does not compute in bfloat16, and OpenVINO would quietly "
                "use float32; take precision 'f32' or 'auto'"
            )
        self._mapped: list[openvino.Tensor] = []

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
        try:
            model = self._kept(path, settings) if self.keep_compiled else _compile(path, settings)
        except RuntimeError as error:
            raise EngineError(f"openvino {VERSION} cannot open {path}: {error}") from error
        return_freed_memory()
        return _runner(model)

    def _kept(self, path: Path, settings: dict[str, Any]) -> openvino.CompiledModel:
        """The compiled graph of an earlier start, or compiled now and kept.

        Quarters the time to start: neither parsing nor rewriting the graph is needed.
        """
        key = hashlib.sha256(repr([VERSION, cpu_name(), sorted(settings.items())]).encode())
        kept = self.folder / "compiled" / f"{path.stem}-{key.hexdigest()[:12]}.blob"
        model = self._imported(kept, settings)
        if model is not None:
            return model
        content = _compile(path, settings).export_model().getvalue()
        tensor = openvino.Tensor(np.frombuffer(bytearray(content), np.uint8), shared_memory=True)
        model = _core().import_model(tensor, "CPU", settings)
        self._check(path, model)
        try:
            seal.write(kept, content)
        except OSError as error:
            notice(f"compiled graph is not kept for the next start: {error}")
        # From the file, whose pages processes share.
        shared = self._imported(kept, settings)
        if shared is None:
            self._mapped.append(tensor)
        return shared or model

    def _check(self, path: Path, model: openvino.CompiledModel) -> None:
        """Compare a graph, in the form that is kept, with what the plain network answered.

        Raises:
            EngineError: it answers otherwise.
        """
        kind, _, side = path.stem.partition("_")
        key = (kind, int(side))
        name = reference_name(self.metadata, *key)
        reference = Reference.read(self.folder / name)
        # The reference needs a graph of the other kind as well, whose check may need this one.
        self._compiled[key] = _runner(model)
        try:
            difference = reference.difference(self)
        finally:
            del self._compiled[key]
        if not agrees(difference, self.precision, name):
            raise EngineError(
                f"openvino {VERSION} computes {path.stem} wrong here: it differs from the network "
                f"by {difference['score']:.2g} (score) and {difference['distances']:.2g} px; "
                "take --engine onnx or torch"
            )

    def _imported(self, kept: Path, settings: dict[str, Any]) -> openvino.CompiledModel | None:
        content = seal.read(kept)
        if content is None:
            return None
        try:
            tensor = openvino.Tensor(content, shared_memory=True)
            # OpenVINO reads constants from the mapping for as long as the graph lives.
            self._mapped.append(tensor)
            return _core().import_model(tensor, "CPU", settings)
        except RuntimeError as error:
            notice(f"compiled graph {kept} is made again: {error}")
            return None


def _runner(model: openvino.CompiledModel) -> Compiled:
    request = model.create_infer_request()

    def run(arrays: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        outputs = request.infer(list(arrays), share_inputs=True)
        return [np.array(value) for value in outputs.values()]

    return run


def open_folder(*arguments: Any, **keywords: Any) -> OpenVinoRuntime:
    """Runtime over a folder of graphs; arguments of `GraphRuntime`."""
    return OpenVinoRuntime(*arguments, **keywords)
