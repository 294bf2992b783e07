"""Worker processes: same boxes as in one process, death and replacement, clean ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import SimpleNamespace

import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.evaluation import pool, units
from pytracking_et.evaluation.units import Unit, run_unit
from pytracking_et.spec import TrackerSpec

from .fakes import make_sequence


def make_unit(folder, name="alpha", frames=5, width=20.0, parameter="plain") -> Unit:
    sequence = make_sequence(folder, name, frames, width)
    frame_paths = tuple(sequence.frames)
    box = (4.0, 3.0, width, 10.0)
    return Unit(TrackerSpec("fake", parameter), None, "otb", name, frame_paths, box)


@pytest.mark.parametrize(
    ("asked", "units", "system", "expected"),
    [(4, 10, "posix", 4), (4, 2, "posix", 2), (0, 5, "posix", 1), (100, 200, "posix", 100)]
    + [(100, 200, "nt", 61), (8, 200, "nt", 8), (3, 0, "nt", 1)],
)
def test_worker_count(monkeypatch, asked, units, system, expected):
    monkeypatch.setattr(pool, "os", type("System", (), {"name": system}))
    assert pool.worker_count(asked, units) == expected


@pytest.mark.parametrize(
    ("cores", "workers", "variable", "expected"),
    [(8, 2, "", 4), (8, 3, "", 2), (2, 8, "", 1), (8, 0, "", 8), (8, 2, "1", 1), (8, 4, "3", 2)]
    + [(8, 2, "many", 4)],
)
def test_threads_share_the_cores(monkeypatch, cores, workers, variable, expected):
    monkeypatch.setattr(units, "cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert units.threads_per_worker(workers) == expected


def test_workers_get_threads_and_devices(fakelab, tmp_path, monkeypatch):
    # Scores of parameter file `environment`: OMP_NUM_THREADS * 100 + OpenCV threads + device / 10.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr(pool, "threads_per_worker", lambda workers: 2)
    before = dict(os.environ)
    work = [make_unit(tmp_path, name, 40, parameter="environment") for name in ("a", "b")]
    outcomes = dict(pool.run_in_processes(work, 2))
    seen = {round(outcome.result.scores[-1], 3) for outcome in outcomes.values()}
    assert seen <= {202.3, 202.5}
    assert dict(os.environ) == before


def test_devices_named_by_the_user(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", " 0, GPU-abc ,")
    assert pool.device_names() == ["0", "GPU-abc"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert pool.device_names() == []


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_devices_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pool.device_names() == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'\necho 'GPU 1: B (UUID: y)'\n")
    tool.chmod(0o755)
    assert pool.device_names() == ["0", "1"]


@pytest.mark.parametrize("order", [103.0, 111.0], ids=["", "a child it forked lives on"])
def test_killed_worker_is_replaced_and_its_unit_retried(fakelab, tmp_path, order):
    work = [make_unit(tmp_path, "a", width=order), make_unit(tmp_path, "b")]
    notes, progress = [], []
    outcomes = dict(
        pool.run_in_processes(work, 1, lambda *each: progress.append(each), notes.append)
    )
    assert outcomes[0].result and outcomes[1].result
    assert len(outcomes[0].result.boxes) == 5
    assert len(notes) == 1
    assert "trying it once more" in notes[0]
    assert (0, 0) in progress


def test_a_pipe_whose_other_end_is_closed_is_a_death_too(tmp_path, monkeypatch):
    """Windows raises where others say that there is something to read."""

    class Closed:
        def poll(self):
            raise BrokenPipeError

        def send(self, unit):
            raise BrokenPipeError

        def close(self):
            pass

    def start(index):
        return pool._Worker(index, SimpleNamespace(exitcode=3), Closed(), crash, ready=True)

    crash = tmp_path / "crash"
    crash.write_text("")
    run = pool._Run([make_unit(tmp_path, "a")], tmp_path, lambda *_: None, lambda _: None, None)
    monkeypatch.setattr(pool.connection, "wait", lambda *_: [])
    monkeypatch.setattr(run, "_start", start)
    run.workers = [start(0)]
    [(index, outcome)] = run.outcomes()
    assert index == 0 and "exit code 3" in outcome.message and "2 times" in outcome.message


def test_a_unit_over_the_time_limit_is_ended(fakelab, tmp_path, monkeypatch):
    # Time passes once it hangs, however long the worker took to load.
    hangs = tmp_path / "marker"
    clock = SimpleNamespace(monotonic=lambda: 1e6 if hangs.exists() else 0.0)
    monkeypatch.setattr(pool, "time", clock)
    monkeypatch.setattr(pool, "STACK_SECONDS", 30.0)
    work = [make_unit(tmp_path, "stuck", width=109.0), make_unit(tmp_path, "good")]
    outcomes = dict(pool.run_in_processes(work, 1, time_limit=4.0))
    assert outcomes[0].result is None and outcomes[1].result
    assert outcomes[0].message.startswith("no result after 4 s (--time-limit), ")
    assert not multiprocessing.active_children()
    if hasattr(signal, "SIGUSR1"):
        assert "in _obey" in outcomes[0].traceback


def test_no_text_of_an_exception_is_endless(fakelab, tmp_path):
    outcome = run_unit(make_unit(tmp_path, width=110.0))
    assert len(outcome.message) < 600
    assert len(outcome.traceback) < 21_000
    assert outcome.message.startswith("ValueError: xxx")
    assert "letters" in outcome.message


def test_exceptions_without_a_text():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert units.error_line(Mute()) == "Mute: (its text cannot be had: RuntimeError)"
    assert units.error_line(ValueError("two\n  lines")) == "ValueError: two lines"


@pytest.mark.parametrize(
    ("width", "cause", "trace"), [(102.0, "SIGKILL", "no stack"), (106.0, "SIGSEGV", "_obey")]
)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")
def test_unit_that_kills_twice_is_given_up(fakelab, tmp_path, width, cause, trace):
    work = [make_unit(tmp_path, "bad", width=width), make_unit(tmp_path, "good")]
    outcomes = dict(pool.run_in_processes(work, 1))
    assert cause in outcomes[0].message
    assert "bad (fake/plain), 2 times" in outcomes[0].message
    assert trace in outcomes[0].traceback
    assert outcomes[0].result is None and outcomes[1].result


def test_workers_that_never_start_end_the_run(fakelab, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "serve", os._exit)  # called with a pipe: TypeError, exit code 1
    with pytest.raises(ResultsError, match="end while starting"):
        list(pool.run_in_processes([make_unit(tmp_path)], 1))


@pytest.mark.parametrize("leave", [GeneratorExit, KeyboardInterrupt])
def test_leaving_ends_the_workers_at_once(fakelab, tmp_path, leave):
    work = [make_unit(tmp_path, "quick"), make_unit(tmp_path, "long", 400, parameter="slow")]
    running = pool.run_in_processes(work, 2)
    assert next(running)[0] == 0
    if leave is GeneratorExit:
        running.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            running.throw(KeyboardInterrupt)
    assert not multiprocessing.active_children()
