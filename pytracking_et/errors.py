"""Errors that a user can act on: each message quotes the bad value and says what to do.

`ettrack` and the run_*.py scripts print these in one line and leave with exit code 2; any other
exception is a defect of ours and keeps its traceback.
"""

from pathlib import Path


def pip_line(extra: str) -> str:
    """The command that installs an extra, as it works for this copy of the package.

    Args:
        extra: a name of pyproject.toml's optional dependencies, e.g. "web".
    """
    # Double quotes: cmd.exe knows no others.
    checkout = (Path(__file__).resolve().parents[1] / "pyproject.toml").is_file()
    return f'pip install "{"." if checkout else "pytracking-et"}[{extra}]"'


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
