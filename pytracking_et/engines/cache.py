"""Exported graphs and the choice of `auto`, kept between processes. No torch at import.

`<cache>/engines/<network>-<weights>-<precision>-<versions>/` holds one export. A folder appears
whole, by rename; one that is damaged is moved aside and built again. Two processes may build the
same at once: the first rename wins and the other takes it.

Files that hold another program's data are sealed with their hash: OpenVINO notices a truncated
compiled graph, but a damaged one it runs, with wrong boxes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from ..files import atomic_path, cache_folder, move, remove_old
from ..version import __version__
from .catalogue import Model
from .package import Metadata, check
from .runtimes import c_numbers

Build = Callable[[Path], object]
# Seconds after which an export that nobody opened, and what was compiled of an exported folder, may
# go: weights, versions and exported folders each have a folder of their own.
KEPT_FOR = 90 * 86400.0
_SEAL = hashlib.sha256().digest_size
_CHUNK = 1 << 20


def engines_folder() -> Path:
    """Folder of all exports; absolute, as graphs are opened when first needed."""
    return cache_folder().absolute() / "engines"


@lru_cache(maxsize=1)
def graph_code() -> str:
    """Hash of the modules that graphs come from, so that a changed network is exported again.

    The version alone does not tell in a checkout that somebody works on.
    """
    package, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted([*package.glob("network/**/*.py"), *package.glob("engines/**/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def export_folder(model: Model, precision: str) -> Path:
    """Folder of one export.

    Args:
        model: what is exported.
        precision: bfloat16 is a way to run the float32 graphs and has no folder of its own.
    """
    precision = "f32" if precision == "bf16" else precision
    key = json.dumps([model.network, model.digest, precision, graph_code(), __version__])
    versions = hashlib.sha256(key.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_]+", "_", model.network)[:40]
    return engines_folder() / f"{readable}-{model.digest[:12]}-{precision}-{versions}"


def notice(text: str) -> None:
    """Tell the user, on standard error, what takes the time or what was not to be had."""
    print(f"pytracking-et: {text}", file=sys.stderr, flush=True)


def whole(folder: Path) -> Metadata | None:
    """Metadata of an export that is there and undamaged; says so where it is damaged."""
    if not os.path.isdir(folder):  # noqa: PTH112 - False, too, where it may not be entered
        return None
    try:
        return check(folder)
    except EngineError as error:
        notice(f"cached engine is rebuilt: {error}")
        return None


def ensure(folder: Path, build: Build, what: str) -> Metadata:
    """The export in `folder`; built first where it is missing or damaged.

    Args:
        build: writes the export into the folder it is given.
        what: for the notice.

    Raises:
        EngineError: what `build` raises, or a cache folder that cannot be written.
    """
    found = whole(folder)
    if found is not None:
        with suppress(OSError):  # a cache that cannot be written
            os.utime(folder)
        return found
    started = time.perf_counter()
    notice(f"preparing {what} (once, kept in {folder})")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_old(folder.parent, ".*")
        # Exports alone have a hyphen in their names.
        remove_old(folder.parent, "*-*", KEPT_FOR)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise EngineError(
            f"cache folder {folder.parent} cannot be written ({error}); name another with "
            "PYTRACKING_ET_CACHE"
        ) from error
    try:
        with c_numbers():
            build(temporary)
        _publish(temporary, folder)
    except OSError as error:
        raise EngineError(
            f"cache folder {folder.parent} takes no more ({error}); make room, or name another "
            "with PYTRACKING_ET_CACHE"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    notice(f"{what} ready after {time.perf_counter() - started:.1f} s")
    return check(folder)


def _publish(temporary: Path, folder: Path) -> None:
    with suppress(OSError):  # a disk without modes
        temporary.chmod(0o755)
    for _ in range(3):
        try:
            move(temporary, folder)
            return
        except OSError:
            # Somebody else's, finished meanwhile, or the damaged one.
            if whole(folder) is not None:
                return
            aside = folder.with_name(f".{folder.name}.{os.getpid()}.damaged")
            with suppress(FileNotFoundError):
                folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
    raise EngineError(f"cached engine {folder} cannot be replaced; delete this folder")


def write_sealed(path: Path, content: bytes) -> None:
    """Write content and its hash, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(content)
        stream.write(hashlib.sha256(content).digest())


def read_sealed(path: Path) -> NDArray[np.uint8] | None:
    """The content, mapped: its memory is shared by processes, and what is written stays here.

    None where there is no file or it is not as it was written.
    """
    if not path.is_file() or path.stat().st_size <= _SEAL:
        return None
    length, digest = path.stat().st_size - _SEAL, hashlib.sha256()
    # Read, not mapped: pages of the mapping would count as this process's from now on.
    with path.open("rb") as stream:
        for start in range(0, length, _CHUNK):
            digest.update(stream.read(min(_CHUNK, length - start)))
        if stream.read() != digest.digest():
            return None
    return np.memmap(path, np.uint8, "c", shape=(length,))
