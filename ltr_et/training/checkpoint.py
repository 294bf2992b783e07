"""Checkpoints from which a killed run goes on as if nothing had happened.

One file, replaced whole: network, averages, optimiser, position in stages and data, settings (JSON)
and code revision; random numbers depend on the position (`trainer`). Only tensors, numbers and
text, so that it loads with `weights_only=True`. `check` tells whether it belongs to the run that
the settings ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from pytracking_et.errors import CheckpointError, PytrackingETError
from pytracking_et.files import atomic_path, reading
from pytracking_et.machine import git_revision
from pytracking_et.network.weights import fingerprint, load_tensors
from pytracking_et.version import __version__

from ..settings import Settings

FORMAT = 1


class TrainingError(PytrackingETError):
    """Training cannot go on (loss or gradient not finite, or the checkpoint of another run, or
    none that can be written)."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        with atomic_path(path) as temporary:
            torch.save({"format": FORMAT, **state}, temporary)
    except (OSError, RuntimeError) as error:  # RuntimeError is torch's for a full disk
        reason = str(error).partition("\n")[0]
        raise TrainingError(
            f"checkpoint {path} cannot be written ({reason}); is the disk full? Make room and give "
            "the same command: it goes on from the last checkpoint that was written"
        ) from error


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote.

    Raises:
        CheckpointError: unreadable or of another format.
    """
    try:
        state = load_tensors(path)
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


FILES = ("initial", "teacher", "backbone")
# Of the stage that is under way; where its gradient explodes, lr and clip are to be changed.
_FREE = ("lr", "clip", "micro_batch")

Change = tuple[str, Any, Any]


def digests(settings: Settings, state: Mapping[str, Any] | None = None) -> dict[str, str | None]:
    """sha256 of the weight files that a run starts from; None where none is set.

    Args:
        state: of the checkpoint that the run goes on from; of a file that is gone since it counts
            what the checkpoint knows.

    Raises:
        CheckpointError: a file that does not exist.
    """
    found: dict[str, str | None] = {}
    for name in FILES:
        path = getattr(settings, name)
        if path is None or Path(path).is_file():
            found[name] = path and fingerprint(path)
        elif state and "digests" in state and _stored(state).get(name) == str(path):
            found[name] = state["digests"][name]
        else:
            raise CheckpointError(f"weights {path} do not exist; give another --{name}")
    return found


def _stored(state: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(state["settings"]).items())


def constants(state: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of the loop that the run goes by; those of its start may be known here alone."""
    return dict(_stored(state).get("constants", {}))


def check(state: Mapping[str, Any], settings: Settings, path: Path) -> None:
    """Compare what decides a run's weights with what its checkpoint stores.

    Fields that the checkpoint lacks (an earlier version wrote it) are not compared, nor are stages
    that have not begun.

    Args:
        state: of `load`.
        path: its file.

    Raises:
        TrainingError: something differs; names it.
    """
    if "settings" not in state:
        return
    with reading(path, CheckpointError, "delete it or start with --fresh"):
        stored = _stored(state)
    now = json.loads(settings.to_json())
    changes = [
        *_differing(stored, now, ("seed", "network")),
        *_files(state, stored, settings),
        *_stages(stored.get("stages", []), now["stages"], state["stage"]),
    ]
    if changes:
        listed = ", ".join(f"{name}: {was!r} -> {value!r}" for name, was, value in changes[:5])
        raise TrainingError(
            f"{path} belongs to a run with other settings ({listed}); give the same settings to go "
            "on, --fresh to begin anew in its place, or another --workspace to keep both"
        )


def _differing(
    stored: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, ...], prefix: str = ""
) -> Iterator[Change]:
    for name in names:
        if name in stored and name in now and stored[name] != now[name]:
            yield prefix + name, stored[name], now[name]


def _files(state: Mapping[str, Any], stored: Mapping[str, Any], settings: Settings) -> list[Change]:
    """Weight files of other content; a file that was only moved is the same."""
    now = digests(settings, state)
    changes = []
    for name in FILES:
        was = state["digests"][name] if "digests" in state else _digest_then(stored, name, now)
        if was != now[name]:
            changes.append((name, stored.get(name), str(getattr(settings, name))))
    return changes


def _digest_then(stored: Mapping[str, Any], name: str, now: Mapping[str, str | None]) -> str | None:
    """For checkpoints without digests: of the file stored by name; as now where it is gone."""
    if name not in stored:
        return now[name]
    path = stored[name]
    if path is None:
        return None
    return fingerprint(path) if Path(path).is_file() else now[name]


def _stages(
    stored: list[dict[str, Any]], now: list[dict[str, Any]], current: int
) -> Iterator[Change]:
    over = current >= len(stored)
    if len(now) <= current and not over or over and len(now) != len(stored):
        yield "stages", [s["name"] for s in stored], [s["name"] for s in now]
        return
    for number, (was, value) in enumerate(zip(stored[: current + 1], now, strict=False)):
        names = tuple(name for name in was if number < current or name not in _FREE)
        yield from _differing(was, value, names, f"stages.{number}.")
