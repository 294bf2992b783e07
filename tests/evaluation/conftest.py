"""A disk that runs full."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"tmpfs cannot be mounted here: {done.stderr.strip()}")

    def remount(self, options: str) -> None:
        self.mount(f"remount,{options}")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    disk = Disk(tmp_path / "small disk")
    disk.folder.mkdir()
    disk.mount("size=64k")
    yield disk
    subprocess.run(["umount", str(disk.folder)], check=True)
