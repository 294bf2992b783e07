"""From a parameter bag to a loop on an engine."""

from __future__ import annotations

import os
from typing import Any

from ..engines import create
from ..network import weights
from ..tracking.loop import Loop
from .params import loop_parameters


def open_loop(
    params: Any,
    checkpoint: str | os.PathLike[str] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    precision: str = "auto",
) -> Loop:
    """The tracking loop that a parameter bag describes, on an engine shared within the process.

    Fields `checkpoint`, `engine`, `threads` and `precision` of the bag apply where the argument is
    left at its default.
    """
    network = params.get("network", "et_tracker")
    checkpoint = checkpoint or params.get("checkpoint", None)
    engine = engine if engine != "auto" else params.get("engine", "auto")
    precision = precision if precision != "auto" else params.get("precision", "auto")
    threads = threads if threads is not None else params.get("threads", None)
    path = weights.find(network, checkpoint)
    settings = loop_parameters(params, weights.tuned_parameters(path))
    return Loop(create(engine, network, path, threads, precision), settings)
