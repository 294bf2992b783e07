"""Names that become files, and names of files: which may, and how libraries and terminals get them.

Names come from `list.txt`, `sequences.json`, folders and videos of anybody. They are checked here
before they become part of a path.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .errors import PytrackingETError
from .files import scratch_folder

# File systems allow 255 bytes; the longest of a result file's suffixes and what a temporary file
# adds to it (`.` + `_object_presence_scores.txt` + `.` + 8 letters + `.tmp.txt`) take 45.
LONGEST = 210
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS = re.compile(
    r'[<>:"|?*]|[. ]$|^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *($|\.)', re.IGNORECASE
)

_CONTROL = ("Cc", "Zl", "Zp")
_NOT_TEXT = (*_CONTROL, "Cs")  # Cs: bytes of a file name that are not in its encoding


def check_name(name: str, what: str, error: type[PytrackingETError]) -> str:
    """The name, if files may be called so on this system.

    Args:
        name: of a sequence, tracker or parameter file.
        what: how messages call it, e.g. "sequence name".

    Raises:
        error: empty, a path, hidden, with control characters, too long, or no name here.
    """
    problem = _problem(name)
    if problem:
        raise error(f"{what} {name!r} {problem}; result files are called after it: rename it")
    return name


def _problem(name: object) -> str:
    if not isinstance(name, str):
        return "is not text"
    if not name.strip():
        return "is empty"
    if "/" in name or "\\" in name:
        return "holds a path separator"
    if name.startswith("."):
        return "starts with a dot, as hidden and temporary files do"
    if any(unicodedata.category(letter) in _CONTROL for letter in name):
        return "holds a control character"
    if any(unicodedata.category(letter) == "Cs" for letter in name):
        return "is not in the encoding of this system's file names (UTF-8 as a rule)"
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        return "cannot be a file name in this locale (PYTHONUTF8=1 makes it UTF-8)"
    if length > LONGEST:
        return f"has {length} bytes, more than {LONGEST}"
    if os.name == "nt" and _WINDOWS.search(name):
        return "is no file name on Windows"
    return ""


def file_stem(name: str) -> str:
    """A name that `check_name` takes, made of any file's: what cannot be there becomes `_`."""
    text = "".join(
        "_" if letter in "/\\" or unicodedata.category(letter) in _NOT_TEXT else letter
        for letter in name
    )
    encoding = sys.getfilesystemencoding()
    # Room for "video_" before and "_<id>" behind it.
    text = text.encode(encoding, "replace")[: LONGEST - 20].decode(encoding, "ignore").strip()
    if os.name == "nt":
        text = _WINDOWS.sub("_", text)
    return re.sub(r"^\.+", "_", text) or "_"


def clash(
    names: Iterable[str], taken: Iterable[str], suffixes: Sequence[str], case_blind: bool
) -> tuple[str, str] | None:
    """Two names of which files would be the same, or None.

    Args:
        names: each once; one of them is the second of the pair.
        taken: others, whose files are there already.
        suffixes: what is added to a name for each of its files.
        case_blind: files that differ in case alone are the same.
    """

    def key(name: str, suffix: str) -> str:
        # Such file systems (APFS) take composed and decomposed letters for the same too.
        file = name + suffix
        return unicodedata.normalize("NFC", file).casefold() if case_blind else file

    owners = {key(name, suffix): name for name in taken for suffix in suffixes}
    for name in names:
        for suffix in suffixes:
            other = owners.setdefault(key(name, suffix), name)
            if other != name:
                return other, name
    return None


def is_case_blind(folder: Path) -> bool:
    """Whether `a` and `A` are one file in a folder, or where it would be made."""
    for place in (folder, *folder.parents):
        other = place.with_name(place.name.swapcase()) if place.name else place
        if other != place and place.exists():
            return other.exists() and other.samefile(place)
    return False


@contextmanager
def native_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path by which OpenCV can open a file of any name; good until the end of the block.

    It takes every name for UTF-8 (and crashes where that cannot be), and FFmpeg reads `10:` at
    the start of one as a protocol.
    """
    full = Path(path).absolute()
    if os.name == "nt" or _is_utf8(str(full)):
        yield full
        return
    with scratch_folder("link") as folder:
        suffix = full.suffix
        link = folder / f"file{suffix if suffix.isascii() else ''}"
        link.symlink_to(full)
        yield link


def printable(text: str, stream: TextIO | None) -> str:
    """The text with escapes for what the stream's encoding lacks, such as `\\u89c6`."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _is_utf8(name: str) -> bool:
    try:
        return os.fsencode(name) == name.encode()
    except UnicodeEncodeError:
        return False
