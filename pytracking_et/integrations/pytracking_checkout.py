"""Put our tracker and parameter folders into a pytracking checkout, and take them out.

pytracking only sees trackers that lie as directories inside its own tree, so an installed package
is not enough. Of the tracker goes there the one file that imports the installed package; the
parameter files are read where they lie and may be changed: those that lie in the networks' table
alone are written as files. A record of what was written lies beside
them, so that `undo` removes exactly that.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from .. import parameter as parameter_package
from ..errors import PytrackingETError
from ..files import atomic_open, read_json, reading, sha256, write_json
from ..settings import expanded
from ..version import __version__

TRACKER = "et_tracker"
RECORD = ".pytracking_et.json"
# pytracking's modules import each other by this name, so the folder must bear it.
PACKAGE = "pytracking"
# What every pytracking has and a folder that merely bears the name has not.
_NEEDED = ("tracker/__init__.py", "parameter/__init__.py", "evaluation/tracker.py")
# Imported whatever the torch; HEAD may ask for its version first, and that is indented.
_TORCH_SIX = re.compile(r"^(?:from|import)\s+torch\._six\b", re.MULTILINE)


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
    # Made absolute for the name of "."; links are not followed, as by Python's import.
    given = Path(os.path.abspath(expanded(path)))  # noqa: PTH100
    tried = []
    for folder in (given, given / PACKAGE):
        missing = [name for name in _NEEDED if not (folder / name).is_file()]
        if not missing and folder.name == PACKAGE:
            return folder
        lacking = f"no {', '.join(missing)}" if missing else f"not named {PACKAGE!r}"
        tried.append(f"  {folder}: {lacking}")
    _refuse_ostrack(given)
    raise PytrackingETError(
        f"{given} is no pytracking checkout:\n" + "\n".join(tried) + "\ngive the repository's "
        "root, the folder that holds pytracking/ and ltr/"
    )


def _refuse_ostrack(given: Path) -> None:
    for folder in (given, given / "test", given / "lib" / "test"):
        inside = folder.parts[-2:] == ("lib", "test")
        if inside and (folder / "evaluation" / "tracker.py").is_file():
            raise PytrackingETError(
                f"{folder} is the layout of OSTrack and STARK, whose harness runs trackers of "
                "lib/test alone and no plug-in of pytracking; use `ettrack run`, and compare the "
                "result files with `ettrack results`"
            )


def check_version(package: Path) -> None:
    """Refuse a pytracking that cannot run our tracker, whatever is installed into it.

    Raises:
        PytrackingETError: older than the harness's `run_sequence` (8 April 2020), or importing
            `torch._six` (before 18 September 2022, and the fork of E.T.Track's authors).
    """
    harness = package / "evaluation" / "tracker.py"
    if "run_sequence" not in _text(harness):
        raise PytrackingETError(
            f"{harness} has no 'run_sequence': this pytracking is older than 8 April 2020; "
            "update the checkout"
        )
    loader = package.parent / "ltr" / "data" / "loader.py"  # imported by pytracking/__init__.py
    if loader.is_file() and _TORCH_SIX.search(_text(loader)):
        raise PytrackingETError(
            f"{loader} imports torch._six, which torch 2 has not: this pytracking is older than "
            "18 September 2022; update the checkout"
        )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


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
        PytrackingETError: no pytracking there, one that is too old, or a folder of the name that is
            not ours or whose files were changed by hand; nothing is written then.
    """
    package = find_package(path)
    check_version(package)
    targets = {package / place: source for place, source in sources().items()}
    foreign = [str(folder) for folder in targets if not _replaceable(folder, targets[folder], link)]
    if foreign:
        raise PytrackingETError(
            f"already there and not written by us, or changed since: {', '.join(foreign)}; move "
            "them away first"
        )
    written: list[Path] = []
    with _changing(package):
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
    with _changing(package):
        for place in sources():
            done, left = _remove(package / place)
            removed += done
            kept += left
    return Change(package, tuple(removed), tuple(kept))


@contextmanager
def _changing(package: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PytrackingETError(
            f"cannot change {error.filename or package}: {error.strerror or error}; make room or "
            "allow writing there, then run the same command again"
        ) from error


def _to_copy(source: Path) -> dict[str, bytes]:
    """Name -> content of the files that go into a checkout.

    Of the tracker only what finds the installed package; a copy of its code is never read.
    """
    if source.parent.name == "tracker":
        return {"__init__.py": (source / "__init__.py").read_bytes()}
    files = {path.name: path.read_bytes() for path in sorted(source.glob("*.py"))}
    made = import_module(f"{parameter_package.__name__}.{TRACKER}").made_files()
    return files | {f"{name}.py": text.encode() for name, text in made.items()}


def _copy(source: Path, target: Path) -> list[Path]:
    files = _to_copy(source)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    # First of all: what is written before an interruption is known to be ours then.
    write_json(target / RECORD, {"version": __version__, "files": digests})
    for name, content in files.items():
        with atomic_open(target / name, "wb") as stream:
            stream.write(content)
    return [target / name for name in files]


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source, target_is_directory=True)
    except OSError as error:
        raise PytrackingETError(
            f"cannot link {target} to {source} ({error}); on Windows links need developer mode: "
            "install without --link, which copies"
        ) from error


def _recorded(folder: Path) -> dict[str, str]:
    """Name of a file in `folder` -> its digest."""
    path = folder / RECORD
    advice = f"it is no record of install-into; move {folder} away, then install again"
    with reading(path, PytrackingETError, advice):
        files = dict(read_json(path, PytrackingETError, advice)["files"])
        # Files of these names are deleted: the record must not lead out of the folder.
        if all(Path(name).name == name and isinstance(files[name], str) for name in files):
            return files
    raise PytrackingETError(f"cannot read {path}; {advice}")


def _replaceable(folder: Path, source: Path, link: bool) -> bool:
    """Whether our files there are as we wrote them, and nobody else's is in the way."""
    if folder.is_symlink():
        return _is_our_link(folder)
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    recorded = _recorded(folder) if (folder / RECORD).is_file() else {}
    there = {path.name: path for path in folder.glob("*.py")}
    added = there.keys() - recorded.keys()
    if added & _to_copy(source).keys():
        return False
    ours = {*recorded, RECORD, "__pycache__"}
    if link and any(path.name not in ours for path in folder.iterdir()):
        return False  # a link takes the place of the whole folder
    return all(sha256(there[name]) == recorded[name] for name in there.keys() & recorded.keys())


def _is_our_link(folder: Path) -> bool:
    """Whether a link leads to an installation of ours, or to one that is gone."""
    marked = folder / "__init__.py"
    return not folder.exists() or (marked.is_file() and "pytracking_et" in _text(marked))


def _remove(folder: Path) -> tuple[list[Path], list[str]]:
    """What was removed, and what was kept with the reason."""
    if folder.is_symlink():
        if not _is_our_link(folder):
            return [], [f"{folder}: a link to {folder.resolve()}, which is not ours"]
        folder.unlink()
        return [folder], []
    if not (folder / RECORD).is_file():
        return [], [f"{folder}: not written by install-into"] * folder.exists()
    removed: list[Path] = []
    changed: list[Path] = []
    for name, digest in _recorded(folder).items():
        path = folder / name
        if not path.is_file():
            continue
        if sha256(path) == digest:
            path.unlink()
            removed.append(path)
        else:
            changed.append(path)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    if not changed:
        (folder / RECORD).unlink()
    others = [path for path in folder.iterdir() if path not in (*changed, folder / RECORD)]
    if not changed and not others:
        folder.rmdir()
    kept = [f"{path}: changed since it was installed" for path in changed]
    return removed, kept + [f"{path}: not ours" for path in others]
