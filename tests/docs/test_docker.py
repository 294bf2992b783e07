"""The Dockerfile, as far as it can be judged without Docker, and what is sent to its build."""

from __future__ import annotations

import json
import re
import sys

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from pytracking_et.commands import COMMANDS

from .blocks import ROOT

LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
STEPS = [line.split(maxsplit=1) for line in LINES if line and not line.startswith("#")]
RUNS = [text for step, text in STEPS if step == "RUN"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SENT = [
    line[1:]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line.startswith("!")
]


def test_what_is_sent_exists_and_is_all_that_the_build_reads():
    assert [name for name in SENT if not (ROOT / name).exists()] == []
    build = {"pyproject.toml", "setup.py", PROJECT["readme"], *PROJECT["license-files"]}
    assert build <= set(SENT)
    assert {"pytracking_et", "ltr_et", "parameter"} <= set(SENT)


def test_copies_from_stages_and_folders_that_were_made():
    stages = {text.split()[-1] for step, text in STEPS if step == "FROM" and " AS " in text}
    for text in (text for step, text in STEPS if step == "COPY"):
        source, *paths = text.split() if text.startswith("--from") else ("", *text.split())
        if source:
            assert source.removeprefix("--from=") in stages
            assert any(paths[0] in run for run in RUNS), f"{paths[0]} is made by no RUN"
        else:
            assert paths[0] == "."


def test_extras_and_packages_are_the_projects():
    extras = PROJECT["optional-dependencies"]
    named = re.findall(r"\"\.\[([a-z,]+)\]\"", "".join(RUNS))
    assert named
    assert {extra for group in named for extra in group.split(",")} <= set(extras)
    needed = [one for group in extras.values() for one in group] + PROJECT["dependencies"]
    known = {re.split(r"[^\w-]", text)[0] for text in needed} | {"opencv-python-headless"}
    (installed,) = re.findall(r"/pip install --no-cache-dir (numpy [^&]+)", "".join(RUNS))
    assert set(installed.split()) <= known


@pytest.mark.parametrize("run", RUNS)
def test_commands_exist(run):
    assert set(re.findall(r"(?:^|&& )ettrack (\S+)", run)) <= set(COMMANDS)


def test_the_user_is_not_root_and_the_entry_point_is_the_projects():
    steps = dict(STEPS)
    (command,) = json.loads(steps["ENTRYPOINT"])
    assert command in PROJECT["scripts"]
    assert f"useradd --groups video {steps['USER']}" in "".join(RUNS)
    python = re.fullmatch(r"python:(\d\.\d+)-slim", steps["FROM"])[1]
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]
