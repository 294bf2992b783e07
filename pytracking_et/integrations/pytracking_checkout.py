"""Put our tracker and parameter folders into a pytracking checkout, and take them out.

pytracking only sees trackers that lie as directories inside its own tree, so an installed package
is not enough. The two folders copied here are small and import `pytracking_et`; a record of what
was written lies beside them, so that `undo` removes exactly that.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import parameter as parameter_package
from ..errors import PytrackingETError
from ..files import atomic_open, read_json, reading, sha256
from ..version import __version__

TRACKER = "et_tracker"
RECORD = ".pytracking_et.json"
# What every pytracking since 2020 has and a folder that merely bears the name has not.
_NEEDED = ("tracker/__init__.py", "parameter/__init__.py", "evaluation/tracker.py")


@dataclass(frozen=True)
class Change:
    """What was done: files written or removed, and what was left alone with the reason."""

    package: Path
    files: tuple[Path, ...]
    kept: tuple[str, ...] = ()


def find_package(path: str | os.PathLike[str]) -> Path:
    """The folder `pytracking/` of a checkout, given it or the repository's root.

    Raises:
        PytrackingETError: the layout is not pytracking's; names what is missing.
    """
    given = Path(path).expanduser()
    tried = []
    for folder in (given, given / "pytracking"):
        missing = [name for name in _NEEDED if not (folder / name).is_file()]
        if not missing:
            return folder
        tried.append(f"  {folder}: no {', '.join(missing)}")
    raise PytrackingETError(
        f"{given} is no pytracking checkout:\n" + "\n".join(tried) + "\ngive the repository's "
        "root, the folder that holds pytracking/ and ltr/"
    )


def is_supported(package: Path) -> bool:
    """Whether the checkout's Tracker has the interface we serve (`run_sequence`, since 2019)."""
    text = (package / "evaluation" / "tracker.py").read_text(encoding="utf-8", errors="replace")
    return "run_sequence" in text


def sources() -> dict[str, Path]:
    """Folder below `pytracking/` -> folder of ours that goes there."""
    ours = Path(__file__).resolve().parents[1]
    places = [Path(entry) / TRACKER for entry in parameter_package.__path__]
    parameters = next(place for place in places if (place / "__init__.py").is_file())
    return {f"tracker/{TRACKER}": ours / "tracker" / TRACKER, f"parameter/{TRACKER}": parameters}


def install(path: str | os.PathLike[str], link: bool = False) -> Change:
    """Copy (or link) both folders into a checkout; a second call updates them.

    Files that were added to the copies, such as parameter files, stay.

    Raises:
        PytrackingETError: no pytracking there, or a folder of the name that is not ours or whose
            files were changed by hand; nothing is written then.
    """
    package = find_package(path)
    if not is_supported(package):
        raise PytrackingETError(
            f"{package / 'evaluation' / 'tracker.py'} has no 'run_sequence': this pytracking is "
            "older than 2019; update the checkout"
        )
    targets = {package / place: source for place, source in sources().items()}
    foreign = [str(folder) for folder in targets if not _replaceable(folder, targets[folder], link)]
    if foreign:
        raise PytrackingETError(
            f"already there and not written by us, or changed since: {', '.join(foreign)}; move "
            "them away first"
        )
    written: list[Path] = []
    for folder, source in targets.items():
        _remove(folder)
        if link:
            _link(source, folder)
            written.append(folder)
        else:
            written += _copy(source, folder)
    return Change(package, tuple(written))


def undo(path: str | os.PathLike[str]) -> Change:
    """Remove what `install` wrote; files changed or added since are kept and reported."""
    package = find_package(path)
    removed: list[Path] = []
    kept: list[str] = []
    for place in sources():
        folder = package / place
        if folder.is_symlink():
            folder.unlink()
            removed.append(folder)
        elif (folder / RECORD).is_file():
            done, left = _remove_recorded(folder)
            removed += done
            kept += left
        elif folder.exists():
            kept.append(f"{folder}: not written by install-into")
    return Change(package, tuple(removed), tuple(kept))


def _python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py"))


def _copy(source: Path, target: Path) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for path in _python_files(source):
        shutil.copyfile(path, target / path.name)
        files.append(target / path.name)
    record = {"version": __version__, "files": {path.name: sha256(path) for path in files}}
    with atomic_open(target / RECORD) as stream:
        json.dump(record, stream, indent=1)
    return files


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source, target_is_directory=True)
    except OSError as error:
        raise PytrackingETError(
            f"cannot link {target} to {source} ({error}); on Windows links need developer mode: "
            "install without --link, which copies"
        ) from error


def _recorded(folder: Path) -> dict[str, str]:
    path, advice = folder / RECORD, f"remove {folder} by hand and install again"
    with reading(path, PytrackingETError, advice):
        files = {
            str(name): str(digest)
            for name, digest in read_json(path, PytrackingETError, advice)["files"].items()
        }
    # Files of these names are deleted: the record must not lead out of the folder.
    outside = [name for name in files if Path(name).name != name]
    if outside:
        raise PytrackingETError(f"{path} names {outside[0]!r}, which is not in {folder}; {advice}")
    return files


def _replaceable(folder: Path, source: Path, link: bool) -> bool:
    """Whether our files there are as we wrote them, and nobody else's is in the way."""
    if folder.is_symlink() or not folder.exists():
        return True
    if not (folder / RECORD).is_file():
        return False
    recorded = _recorded(folder)
    there = _python_files(folder)
    added = {path.name for path in there if path.name not in recorded}
    if added and (link or added & {path.name for path in _python_files(source)}):
        return False
    return all(sha256(path) == recorded[path.name] for path in there if path.name in recorded)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        _remove_recorded(folder)


def _remove_recorded(folder: Path) -> tuple[list[Path], list[str]]:
    removed: list[Path] = []
    kept: list[str] = []
    for name, digest in _recorded(folder).items():
        path = folder / name
        if not path.is_file():
            continue
        if sha256(path) == digest:
            path.unlink()
            removed.append(path)
        else:
            kept.append(f"{path}: changed since it was installed")
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    if not kept:
        (folder / RECORD).unlink()
    others = [path for path in folder.iterdir() if path.name != RECORD]
    kept += [f"{path}: not ours" for path in others if str(path) not in " ".join(kept)]
    if not any(folder.iterdir()):
        folder.rmdir()
    return removed, kept
