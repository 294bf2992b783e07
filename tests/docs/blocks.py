"""Code blocks of the manual: where they stand, their language, and why one is not run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^(\s*)(`{3,})\s*([\w+-]*)(.*)$")
NOT_RUN = re.compile(r"^\s*<!-- not run: (.+?) -->\s*$")
CONTAINER = re.compile(r"^\s*(===|!!!|\?\?\?|[-*+] |\d+\. )")
SHELL = ("sh", "bash", "shell", "console")
PROGRAMS = ("ettrack", "python", "pip", "echo", "dask", "helm", "kubectl", "PIP_CONSTRAINT", "cd")


@dataclass(frozen=True)
class Block:
    """A code block: page, line number of its first line, language, text, title of its fence.

    `reason` says why it is not run: the HTML comment `<!-- not run: ... -->` directly before it.
    """

    page: Path
    line: int
    language: str
    text: str
    reason: str | None = None
    title: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def file(self) -> str | None:
        """Path of the file that it is, if its title names one: `title="mylab/some.py"`."""
        named = re.fullmatch(r'title="(\S+\.py)"', self.title)
        return named and named[1]


def blocks(page: Path) -> list[Block]:
    """Fenced and indented blocks of a Markdown file, in order."""
    return list(_blocks(page, page.read_text(encoding="utf-8").splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    at, reason, contained = 0, None, False
    while at < len(lines):
        line = lines[at]
        if match := NOT_RUN.match(line):
            reason = match[1]
        elif match := FENCE.match(line):
            end = next(
                i for i in range(at + 1, len(lines)) if lines[i].strip() == match[2]
            )  # an open fence is a StopIteration: a defect of the page
            body = [text[len(match[1]) :] for text in lines[at + 1 : end]]
            yield Block(page, at + 2, match[3], "\n".join(body) + "\n", reason, match[4].strip())
            at, reason = end, None
        elif line.startswith("    ") and not contained and not lines[at - 1].strip():
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = "\n".join(text[4:] for text in lines[at:end]).strip() + "\n"
            yield Block(page, at + 1, _language(text), text, reason)
            at, reason = end - 1, None
        elif line.strip():
            reason = None
            if not line.startswith("    "):
                contained = bool(CONTAINER.match(line))
        at += 1


def _language(text: str) -> str:
    """Language of an indented block, which cannot name it."""
    first = re.split(r"[\s=]", text, maxsplit=1)[0]
    if first in ("from", "import"):
        return "python"
    return "sh" if first in PROGRAMS else "text"


def commands(text: str) -> list[list[str]]:
    """Commands of a shell block as words, split at `&&`; lines ending in `\\` go on."""
    found: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            found.append(words[:end])
            words = words[end + 1 :]
    return found


def inline_commands(page: Path) -> list[tuple[int, list[str]]]:
    """(line, words) of every whole `ettrack ...` between backticks outside of blocks.

    Left out: bare names (`ettrack results`), which are mentions and not commands, and text with an
    ellipsis.
    """
    found = []
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        if fenced or line.startswith("    "):
            continue
        for text in re.findall(r"`(ettrack [^`]+)`", line):
            if "..." not in text:
                found.append((number, shlex.split(text)))
    return found
