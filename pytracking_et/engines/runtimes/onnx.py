"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError, pip_line
from ...machine import cores
from . import Compiled, GraphRuntime

try:
    import onnxruntime
except ImportError as error:
    raise EngineError(
        f"the engine 'onnx' needs the package onnxruntime ({error}); {pip_line('onnx')}"
    ) from error

VERSION = str(onnxruntime.__version__)


class OnnxRuntime(GraphRuntime):
    """Graphs as onnxruntime sessions."""

    engine = "onnx"

    def compile(self, path: Path) -> Compiled:
        """Open a session; raises EngineError where the file is none."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if self.threads is not None:
            options.intra_op_num_threads = self.threads
        elif cores() < (os.cpu_count() or 1):
            # The library counts the machine's cores, also where a container or taskset leaves the
            # process fewer; two threads on one core took 72 ms instead of 31.
            options.intra_op_num_threads = cores()
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        # onnxruntime's own exception classes have no common, documented base.
        except Exception as error:
            raise EngineError(f"onnxruntime {VERSION} cannot open {path}: {error}") from error
        names = [value.name for value in session.get_inputs()]

        def run(arrays: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
            return session.run(None, dict(zip(names, arrays, strict=True)))

        return run


# Runtime over a folder of ONNX graphs; arguments of `GraphRuntime`.
open_folder = OnnxRuntime
