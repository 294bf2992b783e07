"""From a parameter bag to a loop on an engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..engines import create
from ..errors import CheckpointError
from ..files import read_json
from ..network import weights
from ..tracking.loop import Loop
from ..tracking.parameters import Parameters
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
    threads = threads or params.get("threads", None)
    path = weights.find(network, checkpoint)
    settings = constants(params, path)
    return Loop(create(engine, network, path, threads, precision), settings)


def constants(params: Any, path: Path) -> Parameters:
    """Constants of the loop: the bag's, and where it asks for them those that go with the weights.

    What makes a score a probability was fitted to these weights in this loop. It lies beside them
    (`NAME.score.json`, written by docs/make/reliability.py) and counts for the file that it names.

    Raises:
        ParameterError: see `loop_parameters`.
        CheckpointError: the numbers beside the weights cannot be read.
    """
    tuned = weights.tuned_parameters(path)
    beside = path.with_suffix(".score.json")
    if getattr(params, "use_checkpoint_parameters", False) and beside.is_file():
        fitted = read_json(beside, CheckpointError, "delete it: scores are then the network's own")
        if fitted.get("weights_sha256") == weights.fingerprint(path):
            tuned["presence"] = fitted.get("presence", [])
    return loop_parameters(params, tuned)
