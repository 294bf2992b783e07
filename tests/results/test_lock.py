"""One run at a time in a folder; a dead run's lock is no obstacle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.results.lock import OWNER_FILE, run_lock

HOLD = """
import sys
from pathlib import Path
from pytracking_et.results.lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_message_names_pid_and_host(holder, tmp_path):
    message = f"pid {holder.pid} on {socket.gethostname()}"
    with pytest.raises(ResultsError, match=message), run_lock(tmp_path):
        pass


def test_lock_of_a_killed_process_is_taken_over(holder, tmp_path):
    holder.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    holder.wait()
    assert json.loads((tmp_path / OWNER_FILE).read_text())["pid"] == holder.pid
    with run_lock(tmp_path):
        assert json.loads((tmp_path / OWNER_FILE).read_text())["pid"] == os.getpid()


def test_lock_is_free_after_use_and_after_an_error(tmp_path):
    with run_lock(tmp_path):
        pass
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path):
        1 / 0  # noqa: B018
    with run_lock(tmp_path):
        pass
    assert not (tmp_path / OWNER_FILE).exists()


def test_same_process_cannot_hold_it_twice(tmp_path):
    with (
        run_lock(tmp_path),
        pytest.raises(ResultsError, match="another run"),
        run_lock(tmp_path),
    ):
        pass


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ResultsError, match="cannot write results to"),
        run_lock(tmp_path / "file" / "run"),
    ):
        pass
