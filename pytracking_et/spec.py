"""Which tracker to open and on what."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from .tracker import plugins


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker by name, with what is asked of it; text and numbers alone, to cross processes.

    Args:
        tracker: `pytracking_et.tracker.NAME` (or of a package in PYTRACKING_ET_PLUGINS).
        parameter: file `pytracking_et.parameter.NAME.PARAM`.
        checkpoint: overrides that of the parameter file where given.
        engine: likewise.
        precision: likewise.
        threads: processor threads for a parameter file that does not set them; None: no limit.
    """

    tracker: str = "et_tracker"
    parameter: str = "et_tracker"
    checkpoint: str | None = None
    engine: str | None = None
    precision: str | None = None
    threads: int | None = None

    @classmethod
    def fitting(
        cls,
        tracker: str = "et_tracker",
        parameter: str | None = None,
        checkpoint: str | None = None,
        engine: str | None = None,
        precision: str | None = None,
        threads: int | None = None,
    ) -> TrackerSpec:
        """With the parameter file that fits the weights where none is named (`parameter_for`)."""
        name = parameter or parameter_for(checkpoint)
        return cls(tracker, name, checkpoint, engine, precision, threads)

    def __str__(self) -> str:
        return f"{self.tracker}/{self.parameter}"

    def parameters(self) -> Any:
        """A fresh parameter bag, with what is given here set on it.

        Raises:
            ParameterError: no such tracker or parameter file; lists what there is.
        """
        params = plugins.parameters(self.tracker, self.parameter)
        for key in ("checkpoint", "engine", "precision"):
            if getattr(self, key) is not None:
                setattr(params, key, getattr(self, key))
        if self.threads is not None and getattr(params, "threads", None) is None:
            params.threads = self.threads
        return params


def parameter_for(checkpoint: str | os.PathLike[str] | None) -> str:
    """Parameter file for a weight file: of the network it tells of, or its names are those of.

    Without one, for that of PYTRACKING_ET_CHECKPOINT.

    Raises:
        CheckpointError: the file cannot be read.
    """
    from .network import weights

    checkpoint = checkpoint or os.environ.get(weights.ENVIRONMENT)
    if not checkpoint:
        return "et_tracker"
    path = weights.find("et_tracker", checkpoint)
    network = weights.metadata(path).get("network")
    if network is not None and path.name == weights.EXPORT:
        return network
    from .network.registry import configurations  # loads torch, which exports need not

    if network in configurations():
        return str(network)
    state, _ = weights.read(path)
    return "lt_mobile" if weights.recognised(list(state)) == "lt_mobile" else "et_tracker"
