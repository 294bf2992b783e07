"""Exported graphs and the choice of `auto`, kept between processes. No torch at import.

`<cache>/engines/<network>-<weights>-<precision>-<versions>/` holds one export. A folder appears
whole, by rename; one that is damaged is moved aside and built again. Two processes may build the
same at once: the first rename wins and the other takes it.
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

from ..errors import EngineError
from ..files import cache_folder, remove_old
from ..version import __version__
from .exported import Metadata, check
from .host import c_numbers

Build = Callable[[Path], object]


def engines_folder() -> Path:
    """Folder of all exports."""
    return cache_folder() / "engines"


@lru_cache(maxsize=1)
def graph_code() -> str:
    """Hash of the modules that graphs come from, so that a changed network is exported again.

    The version alone does not tell in a checkout that somebody works on.
    """
    package, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted([*package.glob("network/**/*.py"), *package.glob("engines/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def export_folder(network: str, digest: str, precision: str) -> Path:
    """Folder of one export.

    Args:
        digest: sha256 of the weight file.
    """
    key = json.dumps([network, digest, precision, graph_code(), __version__])
    versions = hashlib.sha256(key.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_]+", "_", network)[:40]
    return engines_folder() / f"{readable}-{digest[:12]}-{precision}-{versions}"


def notice(text: str) -> None:
    """Tell the user, on standard error, what takes the time or what was not to be had."""
    print(f"pytracking-et: {text}", file=sys.stderr, flush=True)


def is_whole(folder: Path) -> bool:
    """Whether an export is there and undamaged; says so where it is damaged."""
    if not folder.is_dir():
        return False
    try:
        check(folder)
    except EngineError as error:
        notice(f"cached engine is rebuilt: {error}")
        return False
    return True


def ensure(folder: Path, build: Build, what: str) -> Metadata:
    """The export in `folder`; built first where it is missing or damaged.

    Args:
        build: writes the export into the folder it is given.
        what: for the notice.

    Raises:
        EngineError: what `build` raises, or a cache folder that cannot be written.
    """
    if is_whole(folder):
        return Metadata.read(folder)
    started = time.perf_counter()
    notice(f"preparing {what} (once, kept in {folder})")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_old(folder.parent, ".*")
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
    temporary.chmod(0o755)
    for _ in range(3):
        try:
            temporary.rename(folder)
            return
        except OSError:
            # Somebody else's, finished meanwhile, or the damaged one.
            if is_whole(folder):
                return
            aside = folder.with_name(f".{folder.name}.{os.getpid()}.damaged")
            with suppress(FileNotFoundError):
                folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
    raise EngineError(f"cached engine {folder} cannot be replaced; delete this folder")
