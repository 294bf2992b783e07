"""Real server processes for the slow tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]


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
