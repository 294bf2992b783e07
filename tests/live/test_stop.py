"""Live runs that are stopped from outside, as processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pytracking_et.live.sources import open_source
from pytracking_et.live.visdom_server import answers
from pytracking_et.tracker.plugins import VARIABLE

from .fakes import free_port, write_video

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")


def start(folder, *options, stdout=None):
    """A run over 300 frames, 20 ms each."""
    video = write_video(folder / "clip.avi", 300)
    return subprocess.Popen(
        [sys.executable, "-m", "pytracking_et", "video", "fake", "slow", str(video),
         "--box", "20", "20", "30", "30", "--window", "false", *options],
        cwd=ROOT, env={**os.environ, VARIABLE: "tests.fakelab"}, stderr=subprocess.PIPE,
        stdout=stdout, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def eventually(condition, run):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline and run.poll() is None, run.communicate(timeout=5)
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_what_was_tracked_is_kept(tmp_path, name):
    results = tmp_path / "fake" / "slow"
    journal, table = results / "video_clip.unfinished.csv", results / "video_clip.csv"
    output = tmp_path / "out.avi"
    run = start(tmp_path, "--save_results", "--results", str(tmp_path), "--output", str(output))
    eventually(lambda: journal.is_file() and len(journal.read_text().splitlines()) > 10, run)
    before = journal.read_text().splitlines()
    run.send_signal(getattr(signal, name))
    errors = run.communicate(timeout=60)[1]
    if name == "SIGKILL":
        assert journal.read_text().splitlines()[: len(before)] == before
        return
    assert run.returncode == 0
    assert "stopped" in errors and "Traceback" not in errors
    assert not journal.exists()
    lines = table.read_text().splitlines()
    assert lines[: len(before)] == before
    assert 0 <= len(lines) - 1 - len(list(open_source(output))) <= 1  # stopped between the two
    assert len((results / "video_clip_1.txt").read_text().splitlines()) == len(lines) - 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_no_visdom_server_is_left_behind(tmp_path, monkeypatch, name):
    pytest.importorskip("visdom")
    port = free_port()
    # A proxy that is not there must not stand in the way either.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    run = start(tmp_path, "--output", str(tmp_path / "out.avi"), "--visdom-start",
                "--visdom_port", str(port))  # fmt: skip
    eventually(lambda: answers("127.0.0.1", port), run)
    family = psutil.Process(run.pid).children(recursive=True)
    assert family
    run.send_signal(getattr(signal, name))
    run.communicate(timeout=60)
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert not answers("127.0.0.1", port)
