"""The site builds without a warning and loads nothing from elsewhere; messages are quoted truly."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .blocks import ROOT, blocks

TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
GAP = "\0"
# What stands in a page for the parts of a message that differ.
ELLIPSIS = "…"


def texts(tree: ast.AST) -> Iterator[str]:
    """String literals of a module, with GAP for what an f-string fills in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def messages() -> list[str]:
    files = [path for room in ("pytracking_et", "ltr_et") for path in (ROOT / room).rglob("*.py")]
    return [text for path in files for text in texts(ast.parse(path.read_text(encoding="utf-8")))]


def quoted() -> list[tuple[int, str]]:
    return [
        (block.line, block.text.strip())
        for block in blocks(TROUBLESHOOTING)
        if block.language == "text" and "other software" not in block.title
    ]


@pytest.mark.parametrize(("line", "message"), quoted(), ids=lambda value: str(value)[:40])
def test_message_is_printed_by_the_code(line, message, messages):
    """Every part between ellipses stands in one literal, in that order."""
    pattern = re.compile(
        ".*".join(re.escape(part) for part in message.split(ELLIPSIS)), flags=re.DOTALL
    )
    assert any(pattern.search(text) for text in messages), f"troubleshooting.md:{line}: {message}"


def test_a_message_nobody_prints_is_noticed(messages):
    assert not any("this is printed by nobody, ever" in text for text in messages)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="the manual is built with the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_site_builds_without_warnings(site):
    for page in (ROOT / "docs").glob("*.md"):
        name = "index.html" if page.stem == "index" else f"{page.stem}/index.html"
        assert (site / name).is_file()


@pytest.mark.slow
def test_site_loads_nothing_from_elsewhere(site):
    loading = re.compile(r"""<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+rel="(?:style"""
                         r"""sheet|preconnect|preload)"[^>]+href="(https?:)?//""")  # fmt: skip
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    assert [page.name for page in pages if loading.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_api_page_has_the_public_names(site):
    text = (site / "api" / "index.html").read_text(encoding="utf-8")
    for name in ("ETTracker", "run_dataset", "score", "open_source", "CheckpointError"):
        assert f">{name}<" in text or f".{name}" in text, name
    assert "x, y, w, h in pixels" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "word",
    ["cite", "bibtex", "docker", "ROS", "GStreamer", "Raspberry Pi", "Jetson", "YOLO", "Colab"],
)
def test_search_finds(word, site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = [
        one for one in index["docs"] if re.search(rf"\b{word}\b", one["text"] + one["title"], re.I)
    ]
    assert found


@pytest.mark.slow
def test_pages_have_what_they_include(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    assert "Efficient Visual Tracking with Exemplar Transformers" in start
    assert "LightTrack-Mobile" in start
    assert "images/demo.gif" in start
    first = (site / "first-minutes" / "index.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in first
