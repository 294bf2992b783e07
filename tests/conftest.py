"""Shared fixtures. `shared` is the folder of real sequences and weights beside the repository."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from pytracking_et.tracker.plugins import VARIABLE

ROOT = Path(__file__).resolve().parents[1]

if hasattr(signal, "SIGHUP"):
    # Under nohup it is ignored, which children inherit and our commands respect.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So is Ctrl-C in a shell's background job.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data (never committed); tests that need it are skipped where it is absent.

    PYTRACKING_ET_SHARED names it; otherwise `../shared` beside the repository.
    """
    folder = Path(os.environ.get("PYTRACKING_ET_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"real data not at {folder}; set PYTRACKING_ET_SHARED to its folder")
    return folder


@pytest.fixture(autouse=True)
def isolated_settings(tmp_path_factory, monkeypatch):
    """No test reads the user's own settings, cache or checkpoint."""
    folder = tmp_path_factory.mktemp("settings")
    for name in [name for name in os.environ if name.startswith("PYTRACKING_ET_")]:
        if name != "PYTRACKING_ET_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTRACKING_ET_CACHE", str(folder / "cache"))
    monkeypatch.setenv("PYTRACKING_ET_SETTINGS", str(folder / "ettrack.toml"))


@pytest.fixture
def fakelab(monkeypatch, tmp_path):
    """Makes `Tracker("fake", "plain")` work, here and in workers, with results below tmp_path."""
    monkeypatch.setenv(VARIABLE, "tests.fakelab")
    monkeypatch.setenv("PYTRACKING_ET_RESULTS_PATH", str(tmp_path / "results"))
    monkeypatch.setenv("FAKE_MARKER", str(tmp_path / "marker"))
    return tmp_path / "results"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """LT-Mobile with made-up weights: no accuracy, but boxes that depend on the pixels.

    Those of a fresh network do not: its maps are so flat that every image gives the same box, and
    a test of channel order or of state would pass whatever the code does.
    """
    import torch

    from pytracking_et import network
    from pytracking_et.network import weights

    from .golden import synthetic

    state = network.build("lt_mobile").state_dict()
    for name, value in state.items():
        made = torch.as_tensor(synthetic.parameter(name, tuple(value.shape)))
        if "cls_pred." in name:
            made *= 0.002
        if "bbox_pred." in name:
            # 2 strides to each side: about the size of the target in the search region.
            made = 0.0003 * made + (2.0 if name.endswith("bias") else 0.0)
        state[name] = made.to(value.dtype)
    path = tmp_path_factory.mktemp("weights") / "lt_mobile.safetensors"
    weights.save(path, state)
    return path


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
