"""What is told of the machine and of installed packages."""

from __future__ import annotations

import importlib.metadata
import subprocess

import pytest

from pytracking_et import machine


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"onnxruntime": "1.30.0"}, "1.30.0"),
        ({"onnxruntime-gpu": "1.29.1"}, "onnxruntime-gpu 1.29.1"),
        ({}, "unknown"),
    ],
)
def test_version_under_any_distribution_name(installed, expected, monkeypatch):
    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = {"onnxruntime": list(installed)} if installed else {}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: found)
    assert machine.package_version("onnxruntime") == expected


def test_the_revision_is_a_commit_also_where_there_is_a_tag(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    commit = ["commit", "--allow-empty", "-m", "first"]
    for words in (["init"], commit, ["tag", "-a", "v1.0.0", "-m", "v1.0.0"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "pytracking_et" / "machine.py"))
    assert machine.git_revision() == head.stdout.strip()


def test_this_machine():
    assert machine.cores() >= 1 and machine.cpu_name()
