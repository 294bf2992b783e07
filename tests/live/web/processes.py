"""Real server processes and a headless Chromium for the slow tests."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class ServerProcess:
    """One server; `address` to open, `folder` where its temporary files are."""

    def __init__(self, arguments: list[str], folder: Path):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        words = [word for word in line.split() if word.startswith("http://")]
        assert words, f"the server did not start: {line!r}"
        self.address = words[0]
        self.port = urlsplit(self.address).port

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    def stop(self, how: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.stdout.close()


@contextmanager
def fake_server(folder: Path, seconds: float = 0.0, *host: str) -> Iterator[ServerProcess]:
    """A server with the template matching tracker, `seconds` per frame."""
    arguments = ["-m", "tests.live.web.serve_fake", str(seconds), str(folder), *host]
    server = ServerProcess(arguments, folder)
    try:
        yield server
    finally:
        with suppress(subprocess.TimeoutExpired):
            server.stop()


def browser_program() -> str | None:
    """Path of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def browser(folder: Path, *flags: str, width: int = 1280, height: int = 860, **context):
    """A page of a fresh headless Chromium; errors on its console fail the test at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        chrome = player.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path=browser_program(),
            headless=True,
            args=[*FLAGS, *flags],
            viewport={"width": width, "height": height},
            accept_downloads=True,
            **context,
        )
        try:
            page = chrome.pages[0]
            page.set_default_timeout(60_000)
            page.problems = []
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.on(
                "console", lambda m: page.problems.append(m.text) if m.type == "error" else None
            )
            yield page
        finally:
            chrome.close()
