"""Hashes of files that another program writes into a folder of ours.

OpenVINO notices a truncated compiled graph, but a damaged one it runs, with wrong boxes.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..files import atomic_open, sha256

_LIST = "hashes.json"


def check(folder: Path) -> bool:
    """Remove what is not as it was sealed; returns whether the folder may be used.

    It may not where a damaged file cannot be removed (open elsewhere, on Windows).
    """
    try:
        listed = json.loads((folder / _LIST).read_text("utf-8"))
    except (OSError, ValueError):
        listed = {}
    for path in _files(folder):
        if listed.get(path.name) != sha256(path):
            try:
                path.chmod(0o600)
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError:
                return False
    return True


def seal(folder: Path) -> None:
    """Record the hashes of all files in the folder."""
    if folder.is_dir():
        with atomic_open(folder / _LIST) as stream:
            json.dump({path.name: sha256(path) for path in _files(folder)}, stream, indent=2)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    kept = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return [path for path in kept if path.name != _LIST and not path.name.startswith(".")]
