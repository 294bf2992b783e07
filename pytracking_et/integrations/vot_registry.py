"""Writes our entry into trackers.ini, the vot-toolkit's list of trackers.

The file is edited as text: other entries and comments stay byte for byte as they are.
"""

from __future__ import annotations

import argparse
import configparser
import locale
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import ParameterError, PytrackingETError, pip_line
from ..files import atomic_open, reading
from ..process import command_line
from ..settings import expanded

FILE = "trackers.ini"
MODULE = "pytracking_et.integrations.vot"
# What the toolkit accepts; an entry of another name is skipped with a warning.
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"^\[(?P<name>[^\]\n]+)\][^\n]*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """A tracker for the toolkit: its name there, and the command that starts it."""

    name: str
    command: str
    python_path: str | None = None

    def text(self) -> str:
        """The section, with "%" doubled as configparser wants it."""
        lines = [
            f"[{self.name}]",
            f"label = {self.name}",
            "protocol = trax",
            f"command = {self.command}",
        ]
        if self.python_path is not None:
            lines.append(f"env_PYTHONPATH = {self.python_path}")
        return "\n".join(lines).replace("%", "%%") + "\n"


def add_tracker_arguments(parser: argparse.ArgumentParser) -> None:
    """--tracker, --parameter, --checkpoint, --engine, --precision, --threads; all optional."""
    parser.add_argument("--tracker", default="et_tracker", help="tracker name (et_tracker)")
    parser.add_argument("--parameter", help="parameter file (default: the one for the weights)")
    parser.add_argument("--checkpoint", help="weight file (default: see `ettrack weights`)")
    parser.add_argument("--engine", default="auto", help="auto, torch, onnx or openvino")
    parser.add_argument("--precision", help="auto, f32, bf16, int8 (default: f32)")
    parser.add_argument("--threads", type=int, help="processor threads (default: the library's)")


def tracker_words(args: argparse.Namespace) -> list[str]:
    """The arguments again as words, without those left at their default.

    The checkpoint's path becomes absolute: the toolkit starts trackers in a temporary folder. A
    name without folder and ending that is no file here is one of the cache's, and stays.
    """
    words = [] if args.tracker == "et_tracker" else ["--tracker", args.tracker]
    if args.parameter:
        words += ["--parameter", args.parameter]
    if args.checkpoint:
        path = expanded(args.checkpoint)
        cached = not path.suffix and path.name == args.checkpoint and not path.exists()
        words += ["--checkpoint", path.name if cached else str(path.resolve())]
    if args.engine != "auto":
        words += ["--engine", args.engine]
    if args.precision:
        words += ["--precision", args.precision]
    return words + (["--threads", str(args.threads)] if args.threads else [])


def make_entry(name: str, arguments: Sequence[str], python: str = sys.executable) -> Entry:
    """Entry that runs our tracker with `python`.

    Args:
        name: letters, digits, "-" and "_".
        arguments: of `python -m pytracking_et.integrations.vot`.
        python: interpreter; PYTHONPATH is added for a bare checkout, which it cannot import.

    Raises:
        ParameterError: a name that the toolkit refuses.
    """
    if not _IDENTIFIER.fullmatch(name):
        raise ParameterError(
            f"tracker name {name!r}: the vot-toolkit takes letters, digits, '-' and '_' only; "
            "choose one with --name"
        )
    path = None if _importable(python) else str(Path(__file__).resolve().parents[2])
    return Entry(name, command_line([python, "-m", MODULE, *arguments]), path)


def toolkit_notice() -> str | None:
    """What does not work in the vot-toolkit that is installed beside us; None: everything does."""
    try:
        found = version("vot-toolkit")
    except PackageNotFoundError:
        return None
    numbers = [int(word) for word in re.findall(r"\d+", found)[:2]]
    if numbers < [0, 8]:
        return None
    return (
        f"notice: vot-toolkit {found} is installed, in which multistart, supervised and real-time "
        "experiments fail with any tracker; for those: " + pip_line("vot")
    )


def _importable(python: str) -> bool:
    """Whether the interpreter finds this package as the toolkit starts it: from a strange folder.

    This process may have it from the working folder or PYTHONPATH, which is gone by then.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-c", "import pytracking_et"],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=False,
        )
    return done.returncode == 0


def write_entry(folder: str | os.PathLike[str], entry: Entry) -> Path:
    """Add the entry to `folder`/trackers.ini, or bring our own of that name up to date.

    Raises:
        PytrackingETError: an entry of the name that does not start this package, a file that
            configparser cannot read, or one that cannot be written; nothing is written then.
    """
    path = Path(folder) / FILE
    # The toolkit reads in the system's encoding (no encoding= in its Registry), so we write in it.
    encoding = locale.getpreferredencoding(False)
    with reading(path, PytrackingETError, f"it is no text in this system's encoding {encoding}"):
        # Not read_text, which would drop the CR of other entries' lines.
        old = path.read_bytes().decode(encoding) if path.is_file() else ""
    _check(path, old, entry.name)
    new = _with_section(old, entry)
    try:
        new.encode(encoding)
    except UnicodeEncodeError as error:
        raise PytrackingETError(
            f"{entry.command!r} cannot be written in this system's encoding {encoding} ({error}), "
            "in which the toolkit reads the file; set PYTHONUTF8=1 for this command and for vot"
        ) from error
    try:
        with atomic_open(path, encoding=encoding) as stream:
            stream.write(new)
    except OSError as error:
        raise PytrackingETError(
            f"cannot write {path}: {error.strerror or error}; name a folder that can be written"
        ) from error
    return path


def _check(path: Path, text: str, name: str) -> None:
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(text)
    except configparser.Error as error:
        raise PytrackingETError(f"{path} cannot be read ({error}); correct it first") from error
    if config.has_section(name) and MODULE not in config.get(name, "command", fallback=""):
        raise PytrackingETError(
            f"{path} has an entry [{name}] that is not ours; choose another name with --name"
        )


def _with_section(text: str, entry: Entry) -> str:
    """`text` with the section in place of the one of its name, or at the end."""
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    section = entry.text().replace("\n", end_of_line)
    headers = list(_HEADER.finditer(text))
    ends = [*(header.start() for header in headers), len(text)][1:]
    for header, end in zip(headers, ends, strict=True):
        if header["name"] == entry.name:
            rest = _closing_lines(text[header.end() : end])
            return text[: header.start()] + section + rest + text[end:]
    gaps = 0 if not text else 1 if text.endswith("\n") else 2
    return text + gaps * end_of_line + section


def _closing_lines(body: str) -> str:
    """Blank and comment lines that close a section: they belong to what follows it."""
    lines = body.splitlines(keepends=True)
    keep = len(lines)
    while keep and (not lines[keep - 1].strip() or lines[keep - 1].lstrip()[0] in "#;"):
        keep -= 1
    return "".join(lines[keep:])
