"""Errors that a user can act on: each message quotes the bad value and says what to do.

`ettrack` and the run_*.py scripts print these in one line and leave with exit code 2; any other
exception is a defect of ours and keeps its traceback.
"""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


def pip_line(extra: str) -> str:
    """The command that installs an extra, as it works for this copy of the package.

    Args:
        extra: a name of pyproject.toml's optional dependencies, e.g. "web".
    """
    root = Path(__file__).resolve().parents[1]
    source = str(root) if (root / "pyproject.toml").is_file() else _installed_from(root)
    # Double quotes: cmd.exe knows no others.
    return f'pip install "{source}[{extra}]"'


def _installed_from(root: Path) -> str:
    """The folder, wheel or address that pip took this copy from; the name where it was an index."""
    try:
        ours = distribution("pytracking-et")
        # PEP 610; pip writes it for all that did not come from an index.
        text = ours.read_text("direct_url.json")
        if text is None or Path(str(ours.locate_file(""))).resolve() != root:
            return "pytracking-et"
        url = str(json.loads(text)["url"])
    except (PackageNotFoundError, OSError, ValueError, TypeError, LookupError):
        return "pytracking-et"
    where = Path(url2pathname(urlsplit(url).path))
    return str(where) if url.startswith("file:") and where.exists() else "pytracking-et"


_LONGEST_LINE = 500  # some exceptions carry the tensors or the text they are about


def error_line(error: BaseException) -> str:
    """An exception in one line, of a length that a terminal and a manifest can bear."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception as second:
        text = f"(its text cannot be had: {type(second).__name__})"
    return bounded(f"{name}: {text}", _LONGEST_LINE)


def bounded(text: str, length: int) -> str:
    """The text, without its middle where it is longer."""
    if len(text) <= length:
        return text
    return f"{text[: length // 2]} [... {len(text) - length} letters ...] {text[-length // 2 :]}"


class PytrackingETError(Exception):
    """Base of all errors raised on purpose by this package."""


class CheckpointError(PytrackingETError):
    """Weights that cannot be found, read or fitted into the network."""


class ParameterError(PytrackingETError, ValueError):
    """A parameter file, tracker name or setting that does not exist or does not fit."""


class BoxError(PytrackingETError, ValueError):
    """A target box that cannot be tracked (size, NaN, outside the image)."""


class ImageError(PytrackingETError, ValueError):
    """An image that is empty, unreadable, or of a shape or dtype that is not supported."""


class DatasetError(PytrackingETError):
    """A data set, sequence or annotation that is missing, incomplete or inconsistent."""


class ResultsError(PytrackingETError):
    """Result files that are missing, malformed, locked or cannot be written."""


class EngineError(PytrackingETError):
    """An inference engine that is not installed, not supported here, or not in parity."""


class SourceError(PytrackingETError):
    """A camera, video or image folder that cannot be opened or ends at once."""


class DependencyError(PytrackingETError):
    """An optional package is missing; the message names the extra to install."""
