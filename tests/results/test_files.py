"""Result files: pytracking's bytes, written whole, box file last."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.results import files as results
from pytracking_et.results.files import OWNER_FILE, Result, run_lock

RESULT = Result(
    boxes=[[10.0, 20.0, 30.0, 40.0], [66.7, -0.9, 30.99, 1e-3], [-66.7, 1234.56789, 0.5, 99.99999]],
    times=[0.0123456, 1.0, 0.0000004],
    scores=[1.0, 0.98765432, 0.0],
)

# Byte for byte what pytracking writes for these values (interface facts A4).
GOLDEN = {
    "seq.txt": b"10\t20\t30\t40\n66\t0\t30\t0\n-66\t1234\t0\t99\n",
    "seq_time.txt": b"0.012346\n1.000000\n0.000000\n",
    "seq_object_presence_scores.txt": b"1.000000\n0.987654\n0.000000\n",
    "seq_float.txt": (
        b"10.0000\t20.0000\t30.0000\t40.0000\n"
        b"66.7000\t-0.9000\t30.9900\t0.0010\n"
        b"-66.7000\t1234.5679\t0.5000\t100.0000\n"
    ),
}


def test_files_are_pytrackings_byte_for_byte(tmp_path):
    results.save(tmp_path, "seq", RESULT)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == GOLDEN


def test_numpy_writes_the_same_integers(tmp_path):
    # The way pytracking does it: astype(int) and savetxt.
    path = tmp_path / "expected.txt"
    np.savetxt(path, np.array(RESULT.boxes).astype(int), delimiter="\t", fmt="%d")
    assert results.format_boxes(RESULT.boxes).encode() == path.read_bytes().replace(b"\r\n", b"\n")


def test_no_score_file_without_scores(tmp_path):
    results.save(tmp_path, "seq", RESULT)
    results.save(tmp_path, "seq", Result(RESULT.boxes, RESULT.times))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "seq.txt",
        "seq_float.txt",
        "seq_time.txt",
    ]


@pytest.mark.parametrize(
    "fails_at", ["seq.txt", "_time.txt", "_float.txt", "_object_presence_scores.txt"]
)
def test_on_an_error_all_files_stay_as_they_were(tmp_path, monkeypatch, fails_at):
    results.save(tmp_path, "seq", RESULT)
    other = Result([[1.0, 2.0, 3.0, 4.0]], [1.0], [1.0])
    real = results.atomic_open

    def failing(path, *args, **keywords):
        if path.name.endswith(fails_at):
            raise OSError(28, "No space left on device")
        return real(path, *args, **keywords)

    monkeypatch.setattr(results, "atomic_open", failing)
    with pytest.raises(ResultsError, match="No space left on device.*finished sequences are kept"):
        results.save(tmp_path, "seq", other)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == GOLDEN


@pytest.mark.parametrize("stop_after", range(4))
def test_a_box_file_never_stands_beside_files_of_another_run(tmp_path, monkeypatch, stop_after):
    results.save(tmp_path, "seq", RESULT)
    replaced = []
    real = Path.replace

    def replace(self, target):
        if len(replaced) == stop_after:
            raise SystemExit  # as good as a kill between two files
        replaced.append(target.name)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(SystemExit):
        results.save(tmp_path, "seq", Result([[1.0, 2.0, 3.0, 4.0]], [1.0], [1.0]))
    assert "seq.txt" not in replaced
    assert not (tmp_path / "seq.txt").exists()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (Result([[1, 2, 3, 4]], [0.1, 0.2]), "1 boxes but 2 times"),
        (Result([[1, 2, 3, 4]] * 2, [0.1, 0.2], [1.0]), "and 1 scores"),
        (Result([[1, 2, float("nan"), 4]], [0.1]), "frame 0.*nan"),
        (Result([[1, 2, 3]], [0.1]), "not four finite numbers"),
        (Result([[1, 2, 3, -4]], [0.1]), "w, h >= 0"),
    ],
)
def test_bad_results_are_refused(tmp_path, result, message):
    with pytest.raises(ResultsError, match=message):
        results.save(tmp_path, "seq", result)
    assert list(tmp_path.iterdir()) == []


def test_load_prefers_subpixel_boxes(tmp_path):
    results.save(tmp_path, "seq", RESULT)
    assert results.load_boxes(tmp_path, "seq")[1, 0] == 66.7
    np.testing.assert_allclose(results.load_values(tmp_path, "seq", "time")[1], 1.0)


@pytest.mark.parametrize("text", ["9\t9\t9\t9\n" * 3, "10\t20\t30\t40\n66\t0\t30\t0\n"])
def test_subpixel_boxes_of_another_run_are_refused(tmp_path, text):
    results.save(tmp_path, "seq", RESULT)
    assert len(results.load_boxes(tmp_path, "seq")) == 3
    (tmp_path / "seq.txt").write_text(text)
    with pytest.raises(ResultsError, match=r"seq_float\.txt and seq\.txt beside it .*remove"):
        results.load_boxes(tmp_path, "seq")


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    results.save(tmp_path, "seq", RESULT)
    (tmp_path / ".seq.txt.abc123.tmp.txt").write_text("half", encoding="utf-8")
    results.remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(GOLDEN)


HOLD = """
import sys
from pathlib import Path
from pytracking_et.results.files import run_lock
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


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def lacking(*_, **__):
        raise NotImplementedError("flock")

    monkeypatch.setattr("filelock.FileLock.acquire", lacking)
    match = "has no locks.*name a folder on another"
    with pytest.raises(ResultsError, match=match), run_lock(tmp_path):
        pass


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ResultsError, match="cannot write results to"),
        run_lock(tmp_path / "file" / "run"),
    ):
        pass
