"""`python -m pytracking_et` is `ettrack`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytracking_et.version import __version__


@pytest.mark.parametrize(
    ("words", "code", "shown"),
    [
        (["--version"], 0, __version__),
        ([], 0, "usage: ettrack COMMAND"),
        (["dance"], 2, "unknown command 'dance'"),
    ],
)
def test_module(words, code, shown):
    done = subprocess.run(
        [sys.executable, "-m", "pytracking_et", *words], capture_output=True, text=True
    )
    assert done.returncode == code
    assert shown in done.stdout + done.stderr
