"""The same units on a real Dask cluster, a worker of which is killed in the middle."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pytracking_et import errors
from pytracking_et.errors import DependencyError, ResultsError
from pytracking_et.evaluation import Tracker, cluster
from pytracking_et.evaluation.runner import run_dataset
from pytracking_et.evaluation.units import Unit
from pytracking_et.spec import TrackerSpec

from .fakes import files_of, make_list

SPECS = [("a", 60, 20.0), ("b", 90, 20.0), ("c", 70, 20.0), ("ü d", 80, 20.0), ("bad", 5, 101.0)]
UNIT = Unit(TrackerSpec("t", "p"), None, "otb", "a", ("1.jpg",), (1.0, 2.0, 3.0, 4.0))


@pytest.fixture
def local_cluster(fakelab, tmp_path, monkeypatch):
    """Two worker processes, with nannies that start a new one for one that dies."""
    distributed = pytest.importorskip("distributed")
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", root)
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path / "dask"))
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        local_directory=str(tmp_path / "dask"),
    ) as running:
        yield running


@pytest.mark.slow
def test_worker_killed_in_the_middle(local_cluster, tmp_path, monkeypatch):
    sequences = make_list(tmp_path, *SPECS)
    alone = Tracker("fake", "slow", 0)
    run_dataset(sequences, [alone])
    killed = []
    real = cluster.run_on_cluster

    def kill_one(*args):
        for index, outcome in real(*args):
            if not killed:
                worker = next(iter(local_cluster.workers.values()))
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)
            yield index, outcome

    monkeypatch.setattr(cluster, "run_on_cluster", kill_one)
    spread = Tracker("fake", "slow", 1)
    report = run_dataset(sequences, [spread], cluster=local_cluster.scheduler_address)
    assert killed
    assert len(report.done) == 4
    assert list(report.failed) == ["bad (fake/slow_001)"]
    assert "told to fail" in report.failed["bad (fake/slow_001)"]
    assert files_of(Path(spread.results_dir)) == files_of(Path(alone.results_dir))
    again = run_dataset(sequences[:4], [spread], cluster=local_cluster.scheduler_address)
    assert len(again.kept) == 4


@pytest.mark.slow
def test_unit_that_kills_every_worker_is_reported(local_cluster, tmp_path):
    sequences = make_list(tmp_path, ("good", 5, 20.0), ("killer", 5, 102.0))
    tracker = Tracker("fake", "plain")
    report = run_dataset(sequences, [tracker], cluster=local_cluster.scheduler_address)
    assert report.done == ["good (fake/plain)"]
    assert "workers died on killer" in report.failed["killer (fake/plain)"]


@pytest.mark.slow
def test_nobody_at_the_address(fakelab, tmp_path):
    pytest.importorskip("distributed")
    sequences = make_list(tmp_path, ("good", 5, 20.0))
    with pytest.raises(ResultsError, match="no Dask scheduler answers at 'tcp://127.0.0.1:9'"):
        run_dataset(sequences, [Tracker("fake", "plain")], cluster="tcp://127.0.0.1:9")


def test_missing_package_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DependencyError, match=re.escape(errors.pip_line("cluster"))):
        list(cluster.run_on_cluster([], "tcp://127.0.0.1:9"))


def test_keys_are_of_one_run_alone():
    first, second = cluster._keys([UNIT, UNIT]), cluster._keys([UNIT, UNIT])
    assert len({*first, *second}) == 4


def test_a_worker_that_joins_later_is_asked_too():
    with pytest.raises(ResultsError, match=r"a worker has version .*, the run 9\.9; install"):
        cluster.run_remote(UNIT, "9.9")


def test_a_worker_with_other_weights_refuses(fakelab, tmp_path, monkeypatch):
    (tmp_path / "other.npz").write_bytes(b"others")
    monkeypatch.setattr(Tracker, "weights_file", lambda _self, _params: tmp_path / "other.npz")
    unit = replace(UNIT, spec=TrackerSpec("fake", "plain"), weights="0123456789abcdef")
    with pytest.raises(ResultsError, match=r"other\.npz\) than the run \(sha256 0123456789ab\)"):
        cluster.run_remote(unit, cluster.worker_version())


@pytest.mark.slow
def test_two_runs_at_once_get_their_own_boxes(local_cluster, tmp_path):
    """Both units have the same text and another first box."""
    sequences = make_list(tmp_path, ("a", 30, 20.0))
    unit = Unit(
        TrackerSpec("fake", "slow"), None, "otb", "a", tuple(sequences[0].frames), (1, 2, 3, 4)
    )
    both = [replace(unit, init_box=(x, 20.0, 10.0, 10.0)) for x in (10.0, 15.0)]
    assert str(both[0]) == str(both[1])
    with ThreadPoolExecutor(2) as threads:
        runs = threads.map(
            lambda unit: list(cluster.run_on_cluster([unit], local_cluster.scheduler_address)), both
        )
        first = [outcome.result.boxes[0] for ((_, outcome),) in runs]
    assert [list(box) for box in first] == [list(one.init_box) for one in both]


def test_other_versions_are_refused():
    with pytest.raises(ResultsError, match="tcp://b has 9.9"):
        cluster._require_our_version({"tcp://a": cluster.worker_version(), "tcp://b": "9.9"})
