"""Whether a checkpoint belongs to the run that the settings ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytracking_et.errors import PytrackingETError
from pytracking_et.network.weights import fingerprint

from ..settings import Settings

FILES = ("initial", "teacher", "backbone")
# Of the stage that is under way; where its gradient explodes, lr and clip are to be changed.
_FREE = ("lr", "clip", "micro_batch")

Change = tuple[str, Any, Any]


class TrainingError(PytrackingETError):
    """Training cannot go on (loss or gradient not finite, or the checkpoint of another run)."""


def digests(settings: Settings) -> dict[str, str | None]:
    """sha256 of the weight files that a run starts from; None where none is set."""
    paths = {name: getattr(settings, name) for name in FILES}
    return {name: path and fingerprint(path) for name, path in paths.items()}


def check(state: Mapping[str, Any], settings: Settings, path: Path) -> None:
    """Compare what decides a run's weights with what its checkpoint stores.

    Fields that the checkpoint lacks (an earlier version wrote it) are not compared, nor are stages
    that have not begun.

    Args:
        state: of `checkpoint.load`.
        path: its file.

    Raises:
        TrainingError: something differs; names it.
    """
    if "settings" not in state:
        return
    stored = json.loads(state["settings"])
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
    now = digests(settings)
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
