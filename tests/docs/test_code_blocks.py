"""Every Python and shell block of README.md and docs/*.md works as it stands there.

Blocks that need a camera, a display, the network or a cluster say so in an HTML comment before
them, `<!-- not run: needs a camera -->`, and appear as skipped (`pytest -rs` lists them).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from pytracking_et import ETTracker
from pytracking_et.commands import COMMANDS, main, parser_for

from .blocks import PAGES, ROOT, SHELL, Block, blocks, commands, inline_commands

ALL = [block for page in PAGES for block in blocks(page)]
# Reasons for which a block may stay unrun, by their first words.
REASONS = ("needs ", "installs ", "Windows", "changes ", "serves ", "takes ", "a sketch")
# Placeholders of the manual, and what stands for them here.
PLACES = {"PATH": "data/otb", "/data/OTB100": "data/otb", "data/OTB100": "data/otb"}
# Programs whose commands are understood but not executed.
UNRUN = {"pip": "needs the network; extras are checked", "pytest": "is what runs this"}
# Arguments added to make a command short.
SHORTER = {
    "demo": ["--frames", "12"],
    "benchmark": ["--frames", "12", "--rounds", "1", "--threads", "1", "--engines", "torch"],
}
# Extras in `pip install ".[web]"` and `pytracking-et[web]`.
EXTRAS = re.compile(r"(?:pytracking-et|\"\.)\[([a-z0-9, ]+)\]")
# A file stands for the camera, and a box for the hand that draws it.
BOX = ["--box", "100", "80", "60", "40"]
CAMERA = ["--source", "clip.mp4", *BOX, "--window", "false", "--output", "seen.mp4"]


# Python blocks that track a whole clip, or start processes.
LONG = ("render(", "run_dataset(")


def marked(language: Sequence[str]) -> list:
    return [
        pytest.param(block, id=str(block), marks=pytest.mark.slow if is_long(block) else ())
        for block in ALL
        if block.language in language
    ]


def is_long(block: Block) -> bool:
    return block.language == "python" and any(text in block.text for text in LONG)


def skip_where_marked(block: Block) -> None:
    if block.reason:
        pytest.skip(f"{block}: {block.reason}")


@pytest.mark.parametrize("block", marked(["python"]))
def test_python_block(block, at_work, clip):
    skip_where_marked(block)
    x, y, width, height = clip[0].box
    names = {
        "__name__": "manual",
        "ETTracker": ETTracker,
        "image": clip[0].image,
        "next_image": clip[1].image,
        "x": x,
        "y": y,
        "width": width,
        "height": height,
    }
    # The padding makes tracebacks name the page's own lines.
    exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize("block", marked(SHELL))
def test_shell_block(block, at_work):
    skip_where_marked(block)
    for other in ALL:
        if other.page == block.page and other.file:
            (at_work / other.file).parent.mkdir(parents=True, exist_ok=True)
            (at_work / other.file).write_text(other.text, encoding="utf-8")
    for words in commands(block.text):
        assert run(words, at_work) == 0, f"{block}: {' '.join(words)}"


def run(words: list[str], workspace: Path) -> int:
    """Run a command of the manual; exit code."""
    variables = {}
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, variables[name] = words[0].partition("=")
        words = words[1:]
    program, *rest = (PLACES.get(word, word) for word in words)
    if program in UNRUN:
        return 0
    if program == "echo":
        return 0
    if program == "python" and rest[:2] == ["-m", "pytracking_et"]:
        program, rest = "ettrack", rest[2:]
    if program == "ettrack" and variables:
        program, rest = "python", ["-m", "pytracking_et", *rest]
    if program == "ettrack":
        return ettrack(rest)
    if program == "python":
        return python(rest, workspace, variables)
    raise AssertionError(
        f"{program!r} is not known here: mark the block <!-- not run: needs ... -->"
    )


def ettrack(arguments: list[str]) -> int:
    """Run a subcommand in this process; `run` and others start their own."""
    name = arguments[0]
    if name == "webcam" and "--source" not in arguments:
        arguments = [*arguments, *CAMERA]
    return main([*arguments, *SHORTER.get(name, [])])


def python(arguments: list[str], workspace: Path, variables: Mapping[str, str]) -> int:
    """Run a script or module in a process of its own; run_*.py as from inside pytracking_et/."""
    script = arguments[0]
    folder = workspace
    if re.fullmatch(r"run_\w+\.py", script):
        folder = ROOT / "pytracking_et"
        if script == "run_webcam.py" and "--source" not in arguments:
            clip, output = str(workspace / "clip.mp4"), str(workspace / "seen.mp4")
            arguments += [{"clip.mp4": clip, "seen.mp4": output}.get(w, w) for w in CAMERA]
        arguments += ["--engine", "torch"]
    elif (ROOT / script).is_file():
        arguments = [str(ROOT / script), *arguments[1:]]
    path = os.pathsep.join([str(ROOT), variables.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, **variables, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, timeout=600, check=False
    ).returncode


@pytest.mark.parametrize("block", [b for b in ALL if b.reason], ids=str)
def test_reason_for_not_running(block):
    assert block.reason.startswith(REASONS), f"{block}: {block.reason!r}"
    assert block.language in (*SHELL, "python", "bat", "text"), f"{block} is no code"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_fences_name_their_language(page):
    assert [str(block) for block in blocks(page) if not block.language] == []


def test_extras_exist():
    with (ROOT / "pyproject.toml").open("rb") as stream:
        known = set(tomllib.load(stream)["project"]["optional-dependencies"])
    named = {
        (page.name, extra.strip())
        for page in PAGES
        for group in EXTRAS.findall(page.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert named, "the pages name no extra any more: does the expression still fit?"
    assert {pair for pair in named if pair[1] not in known} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page):
    """`ettrack NAME` names a command; with arguments, its parser takes them."""
    wrong = []
    for line, (_, name, *rest) in inline_commands(page):
        if name.startswith(("COMMAND", "-")):
            continue
        if name not in COMMANDS:
            wrong.append(f"{page.name}:{line}: no command {name!r}")
        elif rest and any(word.startswith("-") for word in rest) and not accepted(name, rest):
            wrong.append(f"{page.name}:{line}: {name} does not take {' '.join(rest)}")
    assert wrong == []


def accepted(name: str, arguments: list[str]) -> bool:
    """Whether a command knows all options; values and positional arguments may be left out."""
    parser = parser_for(name)
    parsers = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += action.choices.values()
    # The spelling that --help shows, though others are understood.
    known = {o for one in parsers for action in one._actions for o in action.option_strings}
    return all(word.split("=")[0] in known for word in arguments if word.startswith("-"))
