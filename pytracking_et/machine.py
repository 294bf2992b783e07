"""What a run runs on: processor, versions, git revision. Nothing heavy is imported for it."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .version import __version__

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


def package_version(module: str) -> str:
    """Version of an installed package by the name it is imported under, without importing it.

    Builds for a GPU have another distribution name: onnxruntime-gpu, onnxruntime-directml.
    """
    try:
        return metadata.version(module)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(module, [])
        found = sorted({f"{name} {metadata.version(name)}" for name in names})
        return ", ".join(found) or "unknown"


def cores() -> int:
    """Processor cores this process may use (an affinity mask, as of a batch system, counts)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def cpu_name() -> str:
    """Marketing name of the processor where the system tells it."""
    named = _cpuinfo("model name")
    if named is not None:
        return named
    if platform.system() == "Darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine()
    return platform.processor() or platform.machine()


@cache
def cpu_flags() -> frozenset[str]:
    """Instruction sets by Linux's names (avx2, avx512_vnni, amx_bf16); empty elsewhere."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features") or "").split())


def _cpuinfo(field: str) -> str | None:
    """The first value of a field that Linux tells of its processors."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(field):
                return line.partition(":")[2].strip()
    return None


def git_revision(dirty: str = "-dirty", digits: int = 40) -> str | None:
    """Commit of the checkout this package lies in; None outside of one.

    Args:
        dirty: added where the tree is changed.
        digits: of the commit's name.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    # --exclude: of a tag it would give the name.
    describe = ["describe", "--always", "--exclude=*", f"--dirty={dirty}", f"--abbrev={digits}"]
    return _output(["git", "-C", str(root), *describe])


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
