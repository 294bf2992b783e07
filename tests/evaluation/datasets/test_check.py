from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytracking_et.evaluation import get_dataset
from pytracking_et.evaluation.datasets.check import MISMATCHED, MISSING, UNREADABLE, check

from .. import trees


def make(root):
    """Two sequences of a folder data set, six frames each."""
    for name in ("a", "b"):
        trees.images(root / name / "img", 1, 6)
        trees.put(root / name / "groundtruth.txt", trees.rows(6))


def found(root, deep=False):
    report = check(get_dataset(str(root)), deep=deep)
    return report, [(item.sequence, item.kind) for item in report.problems]


def test_a_complete_data_set(tmp_path):
    make(tmp_path)
    report, problems = found(tmp_path, deep=True)
    assert (report.sequences, report.frames, report.absent, problems) == (2, 12, 0, [])


def test_progress_is_told(tmp_path):
    make(tmp_path)
    seen = []
    check(get_dataset(str(tmp_path)), progress=lambda sequence: seen.append(sequence.name))
    assert seen == ["a", "b"]


def test_absent_targets_are_counted_and_no_problem(tmp_path):
    make(tmp_path)
    trees.put(tmp_path / "a" / "groundtruth.txt", trees.rows(4) + "NaN,NaN,NaN,NaN\n1,1,0,0\n")
    report, problems = found(tmp_path)
    assert (report.absent, problems) == (2, [])


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (trees.rows(5), MISMATCHED, "5 rows in .* for 6 frames"),
        (trees.rows(7), MISMATCHED, "7 rows in .* for 6 frames"),
        ("1,2,3\n" * 6, UNREADABLE, "line 1: 3 number"),
        ("", UNREADABLE, "is empty"),
        ("0,0,0,0\n" + trees.rows(5), MISMATCHED, r"the first box \[0.0, 0.0, 0.0, 0.0\]"),
        ("nan,1,2,3\n" + trees.rows(5), MISMATCHED, "cannot be tracked"),
    ],
)
def test_bad_annotation(tmp_path, text, kind, message):
    make(tmp_path)
    trees.put(tmp_path / "b" / "groundtruth.txt", text)
    report, problems = found(tmp_path)
    assert problems == [("b", kind)]
    assert re.search(message, report.problems[0].text)


def test_one_row_is_a_hidden_ground_truth(tmp_path):
    make(tmp_path)
    trees.put(tmp_path / "b" / "groundtruth.txt", "1,2,3,4")
    assert found(tmp_path)[1] == []


@pytest.mark.parametrize(("number", "deep", "seen"), [(1, False, 1), (4, False, 0), (4, True, 1)])
def test_unreadable_images(tmp_path, number, deep, seen):
    make(tmp_path)
    path = trees.put(tmp_path / "a" / "img" / f"{number:04d}.jpg", trees.JPEG[:-20])
    report, problems = found(tmp_path, deep)
    assert problems == [("a", UNREADABLE)] * seen
    assert all(str(path) in item.text for item in report.problems)


def test_frames_whose_size_changes_are_named(tmp_path):
    make(tmp_path)
    small = trees.cv2.imencode(".jpg", trees.np.zeros((12, 16, 3), trees.np.uint8))[1].tobytes()
    for number in (4, 5):
        trees.put(tmp_path / "b" / "img" / f"{number:04d}.jpg", small)
    for deep in (False, True):
        report, problems = found(tmp_path, deep)
        assert problems == [("b", MISMATCHED)] * 2
        first, second = (item.text for item in report.problems)
        assert "0004.jpg has 16x12 pixels, those from" in first and "0001.jpg on 32x24" in first
        assert "0006.jpg has 32x24 pixels" in second


@pytest.mark.parametrize("names", [["0001.JPG", "0002.JPG"], ["0001.jpg", "0002.Jpg"]])
def test_extensions_in_any_case(tmp_path, names):
    trees.otb(tmp_path)
    folder = tmp_path / "Skiing" / "img"
    for name in names:
        (folder / name.lower()).rename(folder / name)
    sequences = get_dataset("otb", root=tmp_path)[["Skiing"]]
    assert [Path(frame).name for frame in sequences[0].frames[:2]] == names
    assert check(sequences, deep=True).problems == []


def test_runs_of_missing_frames_share_a_line(tmp_path):
    trees.otb(tmp_path)
    folder = tmp_path / "Skiing" / "img"
    for number in (3, 10, 11, 12, 81):
        (folder / f"{number:04d}.jpg").unlink()
    report = check(get_dataset("otb", root=tmp_path)[["Skiing"]])
    assert report.frames == 76
    assert [(item.kind, item.text) for item in report.problems] == [
        (MISSING, str(folder / "0003.jpg")),
        (MISSING, f"{folder / '0010.jpg'} .. 0012.jpg (3 frames)"),
        (MISSING, str(folder / "0081.jpg")),
    ]


def test_a_sequence_that_is_not_there(tmp_path):
    report = check(get_dataset("otb", root=tmp_path)[["David"]])
    folder = tmp_path / "David"
    assert [item.text for item in report.problems] == [
        f"{folder / 'img' / '0300.jpg'} .. 0770.jpg (471 frames)",
        str(folder / "groundtruth_rect.txt"),
    ]
    assert (report.sequences, report.frames, report.count(MISSING)) == (1, 0, 2)


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda root: (root / "out_of_view.txt").unlink(), [MISSING]),
        (lambda root: trees.put(root / "out_of_view.txt", "0,0"), [UNREADABLE]),
        (lambda root: trees.put(root / "out_of_view.txt", "0,0,7,0,0,0"), [UNREADABLE]),
        (lambda root: trees.put(root / "groundtruth.txt", trees.rows(5)), [MISMATCHED] * 2),
        (lambda root: (root / "img" / "00000003.jpg").unlink(), [MISSING]),
        (lambda root: (root / "img" / "00000001.jpg").unlink(), [MISSING]),
        (lambda root: (root / "img" / "00000006.jpg").unlink(), [MISMATCHED]),
    ],
)
def test_lasot(tmp_path, break_it, expected):
    names = trees.lasot(tmp_path)
    sequences = get_dataset("lasot", root=tmp_path)[names]
    assert check(sequences).absent == 2
    break_it(tmp_path / "airplane" / "airplane-1")
    report = check(get_dataset("lasot", root=tmp_path)[names])
    assert [item.kind for item in report.problems] == expected


def test_official_nfs_whose_lengths_do_not_fit(tmp_path):
    names = trees.nfs_official(tmp_path, annotated=480)
    report = check(get_dataset("nfs", root=tmp_path)[names])
    assert {item.kind for item in report.problems} <= {MISMATCHED, UNREADABLE}
    assert any("60 boxes for 69 frames" in item.text for item in report.problems)


@pytest.mark.parametrize(
    ("name", "folder", "sequences", "frames"),
    [("otb", "OTB100", 12, 2488), ("uav", "UAV123", 3, 569)],
)
def test_real_sequences(shared, name, folder, sequences, frames):
    report = check(get_dataset(name, root=shared / "sequences" / folder))
    assert (report.sequences, report.frames, report.problems) == (sequences, frames, [])


@pytest.mark.slow
def test_every_real_frame_decodes(shared):
    report = check(get_dataset("otb", root=shared / "sequences" / "OTB100"), deep=True)
    assert report.problems == []
