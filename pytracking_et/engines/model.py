"""What engines run: a network and the weights it runs with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ..network import weights


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

        Raises:
            CheckpointError: no weights.
        """
        path = weights.find(network, checkpoint)
        return Model(network, path, weights.fingerprint(path))
