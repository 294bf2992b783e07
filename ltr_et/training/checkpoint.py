"""Checkpoints from which a killed run goes on as if nothing had happened.

One file, replaced whole: network, averages, optimiser, position in stages and data, random state,
settings (JSON) and code revision. Only tensors, numbers and text, so that it loads with
`weights_only=True`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pytracking_et.errors import CheckpointError
from pytracking_et.files import atomic_path
from pytracking_et.machine import git_revision
from pytracking_et.version import __version__

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote.

    Raises:
        CheckpointError: unreadable or of another format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"training checkpoint {path} cannot be read ({error}); delete it or start with --fresh"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is no training checkpoint of format {FORMAT}; delete it or start with --fresh"
        )
    return state


def revision() -> str:
    """Git revision of the code, with '+' where the tree is changed; else the package version."""
    return git_revision("+", 12) or f"pytracking-et {__version__}"


def random_state() -> dict[str, Any]:
    """State of torch's generators (data depends on sample numbers, not on these)."""
    state: dict[str, Any] = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore `random_state`."""
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
