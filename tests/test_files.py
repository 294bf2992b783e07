from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pytracking_et import files
from pytracking_et.errors import PytrackingETError, ResultsError
from pytracking_et.files import (
    atomic_open,
    atomic_path,
    cache_folder,
    is_image,
    move,
    read_json,
    reading,
    remove_old,
    scratch_folder,
    sha256,
)


def test_the_new_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "sub" / "a.txt"
    for text in ("one\n", "two\n"):
        with atomic_open(path) as stream:
            stream.write(text)
    assert path.read_bytes() == b"two\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_an_error_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half"), atomic_open(path) as stream:
        stream.write("new")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def refusing(monkeypatch, times: int) -> list[Path]:
    """Have files refuse their name, as Windows does while another program has one open."""
    real, asked = Path.replace, []

    def replace(self, target):
        asked.append(self)
        if len(asked) <= times:
            raise PermissionError(13, "Access is denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return asked


def test_what_is_whole_and_cannot_take_its_name_stays(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    refusing(monkeypatch, 1)
    with (
        pytest.raises(PermissionError, match=r"denied; .* kept as (.*): '.*a\.txt'") as caught,
        atomic_open(tmp_path / "a.txt") as stream,
    ):
        stream.write("new")
    [made] = [path for path in tmp_path.iterdir() if path.name != "a.txt"]
    assert str(made) in caught.value.strerror
    assert (made.read_text(), (tmp_path / "a.txt").read_text()) == ("new", "old")


@pytest.mark.parametrize(("times", "put"), [(3, True), (1000, False)])
def test_windows_waits_for_others_to_close_a_file(tmp_path, monkeypatch, times, put):
    made, target = tmp_path / "made", tmp_path / "target"
    made.write_text("new")
    asked, waits = refusing(monkeypatch, times), []
    monkeypatch.setattr(files.time, "sleep", waits.append)
    monkeypatch.setattr(files.os, "name", "nt")
    try:
        move(made, target)
    except PermissionError:
        assert not put
    finally:
        monkeypatch.undo()  # pathlib looks at the system's name
    assert target.is_file() == put
    assert len(waits) == len(asked) - 1 and sum(waits) < 3


def test_the_temporary_keeps_the_suffix_that_writers_look_at(tmp_path):
    with atomic_path(tmp_path / "plot.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"x")
    assert (tmp_path / "plot.png").read_bytes() == b"x"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_results_are_as_readable_as_the_umask_says(tmp_path):
    with atomic_open(tmp_path / "a") as stream:
        stream.write("x")
    assert (tmp_path / "a").stat().st_mode & 0o444 == 0o444


def test_a_disk_without_modes_takes_files(tmp_path, monkeypatch):
    def chmod(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", chmod)
    with atomic_open(tmp_path / "a") as stream:
        stream.write("x")
    assert (tmp_path / "a").read_text() == "x"


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_cache_folder_by_name(monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_CACHE", "somewhere")
    assert cache_folder() == Path("somewhere")
    monkeypatch.setenv("PYTRACKING_ET_CACHE", "~/cache")
    assert cache_folder() == Path.home() / "cache"
    monkeypatch.delenv("PYTRACKING_ET_CACHE")
    assert cache_folder().name == "pytracking_et"


@pytest.mark.skipif(os.name == "nt", reason="any name may be a user's there")
def test_a_cache_in_the_home_of_nobody_is_told(monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_CACHE", "~nobody-here/cache")
    with pytest.raises(PytrackingETError, match="PYTRACKING_ET_CACHE='~nobody-here/cache'"):
        cache_folder()


@pytest.mark.skipif(os.name != "posix", reason="POSIX owners")
def test_a_cache_that_others_fill_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    tmp_path.chmod(0o777)
    with pytest.raises(PytrackingETError, match=r"everybody \(mode 777\).*PYTRACKING_ET_CACHE"):
        cache_folder()
    tmp_path.chmod(0o755)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(files.os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert cache_folder() == tmp_path  # what the system's administrator put there
        os.chown(tmp_path, 12345, -1)
    with pytest.raises(PytrackingETError, match=r"belongs to user \d+, not to you"):
        cache_folder()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_json_object_is_an_error_of_ours(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ResultsError, match=r"a\.json .*move it away"):
        read_json(tmp_path / "a.json", ResultsError, "move it away")
    with pytest.raises(ResultsError, match=r"gone\.json"):
        read_json(tmp_path / "gone.json", ResultsError, "move it away")


def test_a_byte_order_mark_is_no_content(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json", ResultsError, "") == {"a": 1}


def test_reading_bounds_what_it_quotes_and_lets_errors_of_ours_pass():
    with pytest.raises(ResultsError) as caught, reading("a", ResultsError, "look"):
        raise KeyError("x" * 10_000)
    assert len(str(caught.value)) < 400
    with pytest.raises(PytrackingETError, match="mine"), reading("a", ResultsError, "look"):
        raise PytrackingETError("mine")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("1.jpg", True), ("1.JPG", True), ("1.Jpeg", True), ("1.TIFF", True), ("1.pgm", True),
     (".1.jpg", False), ("jpg", False), ("1xjpg", False), ("1.txt", False)],
)  # fmt: skip
def test_what_is_an_image(name, expected):
    assert is_image(name) is expected


HOLD = """
import sys
from pytracking_et.files import scratch_folder
with scratch_folder("test") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_scratch_folders_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD],
            cwd=Path(__file__).resolve().parents[1],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    dead, alive = (Path(each.stdout.readline().strip()) for each in holders)
    holders[0].kill()
    holders[0].communicate()
    foreign = tmp_path / "ettrack-test-being-made"
    foreign.mkdir()
    assert dead.is_dir()
    with scratch_folder("other"):
        assert dead.is_dir()
    with scratch_folder("test") as folder:
        assert set(tmp_path.iterdir()) == {alive, foreign, folder}
    assert set(tmp_path.iterdir()) == {alive, foreign}
    holders[1].communicate("")
    assert not alive.exists()


def test_a_folder_in_the_way_is_told_before_the_work(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(IsADirectoryError), atomic_path(tmp_path / "a.txt"):
        raise AssertionError("too late")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_old_folders_are_removed(tmp_path):
    for name, age in ((".a.x", 90_000), (".a.y", 10), ("kept", 90_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    remove_old(tmp_path, ".*")
    assert {path.name for path in tmp_path.iterdir()} == {".a.y", "kept"}
