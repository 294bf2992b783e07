"""Files written whole or not at all, with an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ResultsError
from ..files import atomic_path
from .boxfiles import PathArgument


@contextmanager
def written(path: PathArgument) -> Iterator[Path]:
    """Yield a temporary path that becomes `path`; ResultsError where that cannot be written."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise ResultsError(
            f"cannot write {path}: {error.strerror or error}; choose another folder"
        ) from error


def write_text(path: PathArgument, text: str) -> None:
    """Write text as UTF-8 with "\\n" line ends on every system."""
    with written(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
