"""Runs killed at random moments, resumed, end with the files of an undisturbed run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pytracking_et.evaluation import Tracker, load_dataset, run_dataset
from pytracking_et.tracker.plugins import VARIABLE

from ..live.fakes import eventually
from .fakes import files_of, write_otb

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")
ROOT = Path(__file__).resolve().parents[2]
SPECS = [(f"seq {n}", 6 + 4 * n, 20.0) for n in range(7)]


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Runs:
    """Starts the same command again and again."""

    def __init__(self, tmp_path: Path, *specs: tuple[str, int, float]):
        self.folder = tmp_path
        self.data = write_otb(tmp_path / "data ü", *(specs or SPECS))

    def start(self, results: str, threads: int) -> subprocess.Popen:
        command = ["-m", "pytracking_et.run_tracker", "fake", "slow", "--dataset", "otb"]
        command += ["--dataset-root", str(self.data), "--results", str(self.folder / results)]
        return subprocess.Popen(
            [sys.executable, *command, "--threads", str(threads)],
            cwd=ROOT,
            env={**os.environ, VARIABLE: "tests.fakelab"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A job started in the background of a script inherits an ignored Ctrl-C.
            preexec_fn=heed_interrupts,
        )

    def finish(self, results: str, threads: int) -> dict[str, bytes]:
        process = self.start(results, threads)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return self.files(results)

    def files(self, results: str) -> dict[str, bytes]:
        folder = self.folder / results / "fake" / "slow"
        return files_of(folder) if folder.is_dir() else {}


def descendants(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def kill_and_check(runs: Runs, whole: dict[str, bytes], moment: float, victim: str) -> None:
    """Kill the run, or one of its workers, at `moment`; nothing half may be seen afterwards."""
    process = runs.start("killed", 2)
    time.sleep(moment)
    family = descendants(process) if process.poll() is None else []
    if victim == "worker" and family:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(family[-1].pid).kill()
        process.communicate()
    else:
        process.kill()
        process.communicate()
        # Workers notice that their parent is gone and leave by themselves.
        _, alive = psutil.wait_procs(family, timeout=20)
        assert not alive
    seen = runs.files("killed")
    for name in [name for name in seen if name.startswith("seq") and "_" not in name]:
        for suffix in ("", "_float", "_object_presence_scores"):
            file = name.replace(".txt", f"{suffix}.txt")
            assert seen[file] == whole[file]


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_and_resumed_equals_undisturbed(tmp_path, kills):
    runs = Runs(tmp_path)
    start = time.perf_counter()
    whole = runs.finish("whole", 0)
    duration = time.perf_counter() - start
    assert len(whole) == 3 * len(SPECS)
    generator = random.Random(kills)
    for number in range(kills):
        victim = "worker" if number % 4 == 3 else "run"
        kill_and_check(runs, whole, generator.uniform(0, duration), victim)
    assert runs.finish("killed", 2) == whole
    left = {path.name for path in (runs.folder / "killed" / "fake" / "slow").iterdir()}
    assert not [name for name in left if ".tmp" in name]


@pytest.mark.parametrize(
    "threads, how", [(0, "SIGINT"), (2, "SIGINT"), (0, "SIGTERM"), (2, "SIGHUP")]
)
def test_ctrl_c_stops_at_once_and_keeps_what_is_done(fakelab, tmp_path, threads, how):
    waiting = [("wait a", 20, 112.0), ("wait b", 10, 113.0)]
    runs = Runs(tmp_path, ("seq 0", 30, 20.0), *waiting, ("seq 3", 6, 20.0))
    process = runs.start("stopped", threads)
    assert process.stderr.readline().startswith("[1/4] seq 0")
    marks = [tmp_path / "marker-112", tmp_path / "marker-113"]
    eventually(lambda: all(mark.exists() for mark in marks[: threads or 1]))
    family = descendants(process)
    os.killpg(process.pid, getattr(signal, how))  # as a terminal does: to all of them
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished sequences are kept" in errors
    assert "Traceback" not in errors
    assert not psutil.wait_procs(family, timeout=60)[1]
    kept = [n for n in runs.files("stopped") if n.endswith(".txt") and "_" not in n]
    assert kept == ["seq 0.txt"]
    for mark in marks:
        mark.touch()
    tracker = Tracker("fake", "slow", results_path=runs.folder / "stopped")
    report = run_dataset(load_dataset("otb", root=runs.data), [tracker])
    assert (len(report.kept), len(report.done)) == (1, 3)


def test_second_run_is_refused_while_the_first_works(tmp_path):
    # The second one outlasts the start of another process on any machine, and is killed.
    runs = Runs(tmp_path, ("short", 3, 20.0), ("long", 1500, 20.0))
    first = runs.start("shared", 0)
    assert first.stderr.readline().startswith("[1/2]")
    second = runs.start("shared", 0)
    _, errors = second.communicate()
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert f"another run is writing to {runs.folder / 'shared' / 'fake' / 'slow'}" in errors
    assert f"pid {first.pid}" in errors
    assert not multiprocessing.active_children()
