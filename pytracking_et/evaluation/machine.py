"""What a run ran on: versions, processor, git revision. Nothing heavy is imported for it."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from ..version import __version__

_PACKAGES = (
    "torch",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "onnxruntime",
    "openvino",
    "jpeg4py",
)


def describe_machine() -> dict[str, Any]:
    """Versions, system, processor and git revision as JSON."""
    return {
        "versions": versions(),
        "machine": {
            "system": platform.platform(),
            "cpu": cpu_name(),
            "cores": cores(),
        },
        "git_revision": git_revision(),
    }


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of the installed packages that matter."""
    found = {"python": platform.python_version(), "pytracking_et": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """Processor cores this process may use (an affinity mask, as of a batch system, counts)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """Marketing name of the processor where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine()
    return platform.processor() or platform.machine()


def git_revision() -> str | None:
    """Commit of the checkout this package lies in, `-dirty` added; None outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    return _output(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"])


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
