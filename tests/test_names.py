"""Names that become files: refused, or good in every place that they reach."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et import names
from pytracking_et.errors import DatasetError, ParameterError, ResultsError
from pytracking_et.evaluation import Sequence, Tracker
from pytracking_et.evaluation.datasets import load_dataset
from pytracking_et.live.sources import open_source
from pytracking_et.results import files as results
from pytracking_et.videos import VideoWriter

from .evaluation.fakes import make_sequence, run, write_otb

BAD = {
    "": "is empty",
    "  ": "is empty",
    "..": "dot",
    ".": "dot",
    ".hidden": "dot",
    "../../victim": "separator",
    "/etc/passwd": "separator",
    "a\\b": "separator",
    "C:\\x": "separator",
    "a\0b": "control",
    "a\nb": "control",
    "a\x1b[31m": "control",
    "a\x7f": "control",
    "a\x85b": "control",
    "a\u2028b": "control",
    "\udcca\udcd3": "encoding",
    "x" * 211: "bytes",
    "é" * 106: "bytes",
}
posix_names = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="file systems there refuse such names"
)
NOT_UTF8 = os.fsdecode(b"\xca\xd3\xc6\xb5") if os.name != "nt" else ""


@pytest.mark.parametrize("name", BAD)
def test_refused(name):
    with pytest.raises(DatasetError, match=f"sequence name .* {BAD[name]}|{BAD[name]}"):
        names.check_name(name, "sequence name", DatasetError)
    with pytest.raises(DatasetError):
        Sequence(name, ["1.jpg"], "otb", [[1, 2, 3, 4]])
    with pytest.raises(ResultsError):
        results.result_paths(Path("folder"), name)
    with pytest.raises(ParameterError):
        Tracker(name, "plain")
    with pytest.raises(ParameterError):
        Tracker("fake", name)


@pytest.mark.parametrize(
    "name", ["a", "b c", "ü ñ", "视频", "a.b", "x_time", "Jogging-1", "é" * 105]
)
def test_taken(name):
    assert names.check_name(name, "sequence name", DatasetError) == name
    assert names.file_stem(name)[:50] == name[:50]


@pytest.mark.parametrize(
    "name", ["a:b", "con", "NUL.x", "COM¹", "conin$", "aux .x", "end.", "what?"]
)
@pytest.mark.parametrize("system", ["nt", "posix"])
def test_windows(monkeypatch, name, system):
    monkeypatch.setattr(names.os, "name", system)
    refused = names._problem(name) == "is no file name on Windows"
    assert refused == (system == "nt")


@pytest.mark.parametrize("name", BAD)
def test_stems_are_made_of_any_name(name):
    assert names._problem(names.file_stem(name)) == ""


def test_stems_leave_room_for_what_is_added():
    assert len(os.fsencode(f"video_{names.file_stem('é' * 127)}_123")) <= names.LONGEST


@pytest.mark.parametrize(
    ("new", "taken", "blind", "expected"),
    [
        (["a", "b"], [], True, None),
        (["a", "a_time"], [], False, ("a", "a_time")),
        (["a_float", "a"], [], False, ("a_float", "a")),
        (["a_object_presence_scores"], ["a"], False, ("a", "a_object_presence_scores")),
        (["c"], ["a", "a_time"], False, None),
        (["a_time", "b"], [], False, None),
        (["Basketball", "basketball"], [], False, None),
        (["Basketball", "basketball"], [], True, ("Basketball", "basketball")),
        (["e\u0301", "é"], [], True, ("e\u0301", "é")),
        (["A_TIME", "a"], [], True, ("A_TIME", "a")),
    ],
)
def test_clashes(new, taken, blind, expected):
    assert names.clash(new, taken, results.SUFFIXES, blind) == expected


def test_a_case_blind_file_system(tmp_path, monkeypatch):
    (tmp_path / "Here").mkdir()
    sees_case = not (tmp_path / "hERE").exists()
    assert names.is_case_blind(tmp_path / "Here" / "not yet") != sees_case
    monkeypatch.setattr(Path, "exists", lambda path: True)
    monkeypatch.setattr(Path, "samefile", lambda path, other: True)
    assert names.is_case_blind(tmp_path / "Here")


@pytest.mark.parametrize("suffix", ["_time", "_float", "_object_presence_scores"])
def test_a_name_beside_its_stem_is_refused_before_anything_is_written(fakelab, tmp_path, suffix):
    first, second = (make_sequence(tmp_path, name) for name in ("a", f"a{suffix}"))
    with pytest.raises(ResultsError, match="would write the same files"):
        run([first, second])
    assert not fakelab.exists()
    run([first])
    with pytest.raises(ResultsError, match="would write the same files"):
        run([second])
    assert not (fakelab / "fake" / "plain" / f"a{suffix}_float.txt").exists()


def test_two_names_on_a_case_blind_file_system(fakelab, tmp_path, monkeypatch):
    monkeypatch.setattr("pytracking_et.evaluation.run_folder.is_case_blind", lambda folder: True)
    with pytest.raises(ResultsError, match="'Basketball' and 'basketball' would write"):
        run([make_sequence(tmp_path / name, name) for name in ("Basketball", "basketball")])
    assert not fakelab.exists()


@pytest.mark.parametrize("name", ["../../victim", "..", "", "a\0b", ".x"])
def test_a_table_of_sequences_cannot_name_other_places(tmp_path, name):
    root = write_otb(tmp_path / "otb", ("a", 3, 20.0))
    table = root / "sequences.json"
    escaped = name.replace("\0", "\\u0000")
    table.write_text(table.read_text().replace('"name": "a"', f'"name": "{escaped}"'))
    with pytest.raises(DatasetError, match="sequence name"):
        load_dataset("otb", root=root)


@pytest.mark.parametrize("name", ["../../victim", "..", ".x"])
def test_a_list_of_sequences_cannot_name_other_places(tmp_path, name):
    folder = tmp_path / "got10k" / "val"
    folder.mkdir(parents=True)
    (folder / "list.txt").write_text(f"{name}\n")
    with pytest.raises(DatasetError, match="sequence name"):
        load_dataset("got10k_val", root=tmp_path / "got10k")


def test_hidden_folders_are_no_sequences(tmp_path):
    for name in ("seq", ".thumbnails"):
        sequence = make_sequence(tmp_path, "img")
        (tmp_path / name).mkdir()
        Path(sequence.frames[0]).parent.parent.rename(tmp_path / name / "img")
        (tmp_path / name / "groundtruth.txt").write_text("1,2,3,4\n")
        for frame in (tmp_path / name / "img" / "img").iterdir():
            frame.rename(tmp_path / name / "img" / frame.name)
    assert load_dataset(str(tmp_path)).names == ["seq"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("10:30:05", marks=posix_names),
        pytest.param("http:x", marks=posix_names),
        pytest.param(NOT_UTF8, marks=posix_names, id="no UTF-8"),
        pytest.param("a\nb", marks=posix_names),
        "视频 é",
        "-o",
        "100%d",
    ],
)
@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_videos_of_any_name_are_written_and_read(tmp_path, monkeypatch, name, suffix):
    monkeypatch.chdir(tmp_path)
    image = np.full((48, 64, 3), 90, np.uint8)
    with VideoWriter(f"{name}{suffix}") as writer:
        for _ in range(3):
            writer.write(image)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}{suffix}"]
    with open_source(f"{name}{suffix}") as source:
        assert len(list(source)) == 3
    assert names._problem(source.name) == ""


@posix_names
def test_a_folder_of_images_that_is_no_utf8(tmp_path):
    folder = tmp_path / NOT_UTF8
    folder.mkdir()
    (folder / "1.png").write_bytes(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes())
    with open_source(folder) as source:
        assert len(list(source)) == 1
    assert source.name == "__Ƶ"


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "视 é \\udcca"), ("latin-1", "\\u89c6 é \\udcca")]
)
def test_printable(encoding, shown):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert names.printable("视 é \udcca", stream) == shown
    print(names.printable("视 é \udcca", stream), file=stream, flush=True)
