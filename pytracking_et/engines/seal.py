"""Files of ours that hold another program's data, with their hash at the end.

OpenVINO notices a truncated compiled graph, but a damaged one it runs, with wrong boxes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import atomic_path

_SIZE = hashlib.sha256().digest_size
_CHUNK = 1 << 20


def write(path: Path, content: bytes) -> None:
    """Write content and its hash, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(content)
        stream.write(hashlib.sha256(content).digest())


def read(path: Path) -> NDArray[np.uint8] | None:
    """The content, mapped: its memory is shared by processes, and what is written stays here.

    None where there is no file or it is not as it was written.
    """
    if not path.is_file() or path.stat().st_size <= _SIZE:
        return None
    length, digest = path.stat().st_size - _SIZE, hashlib.sha256()
    # Read, not mapped: pages of the mapping would count as this process's from now on.
    with path.open("rb") as stream:
        for start in range(0, length, _CHUNK):
            digest.update(stream.read(min(_CHUNK, length - start)))
        if stream.read() != digest.digest():
            return None
    return np.memmap(path, np.uint8, "c", shape=(length,))
