from __future__ import annotations

import pytest

from ltr_et.locks import alone
from pytracking_et.errors import DatasetError, PytrackingETError


def test_a_held_folder_is_told(tmp_path):
    folder = tmp_path / "run"
    held, again = alone(folder, "busy"), alone(folder, "busy", DatasetError)
    with held, pytest.raises(DatasetError, match="busy"), again:
        pass
    with alone(folder, "busy", DatasetError):  # let go of
        assert folder.is_dir()


@pytest.mark.parametrize("problem", [PermissionError("not allowed"), NotImplementedError("flock")])
def test_a_folder_without_locks_is_told(tmp_path, monkeypatch, problem):
    def refuse(*_, **__):
        raise problem

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(PytrackingETError, match="cannot be written"), alone(tmp_path, "busy"):
        pass


def test_a_full_disk_is_a_sentence_and_the_folder_is_let_go_of(tmp_path):
    full, closed = OSError(28, "No space left on device"), BrokenPipeError()
    with (
        pytest.raises(PytrackingETError, match=r"broke off \(.*No space left.*goes on from"),
        alone(tmp_path, "busy"),
    ):
        raise full
    with pytest.raises(BrokenPipeError), alone(tmp_path, "busy", DatasetError):
        raise closed
