"""Where and how tables and figures are written: whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ResultsError
from ..files import atomic_path
from ..settings import env_settings
from .boxfiles import PathArgument

FORMATS = ("pdf", "svg", "png")


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


def output(
    report_name: str, kwargs: Mapping[str, Any]
) -> tuple[Path, Sequence[str], dict[str, Any]]:
    """Folder `<result_plot_path>/<report_name>` and formats, and what is left for `compare`."""
    options = dict(kwargs)
    # pytracking's switch for a progress bar; reading takes less time than drawing one.
    options.pop("verbose", None)
    formats = options.pop("formats", FORMATS)
    chosen: PathArgument | None = options.pop("output", None)
    return Path(chosen or env_settings().result_plot_path) / report_name, formats, options
