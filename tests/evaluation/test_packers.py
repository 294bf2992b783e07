"""Archives for evaluation servers: exact content, and refusals that leave nothing behind."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pytracking_et.errors import DatasetError, ResultsError
from pytracking_et.evaluation import Tracker, packers
from pytracking_et.results import files as results
from pytracking_et.results.files import Result
from pytracking_et.results.manifest import Manifest

NAMES = [f"GOT-10k_Test_{number:06d}" for number in range(1, 181)]
BOXES = [[10.0, 20.0, 30.0, 40.0], [10.123456, -0.5, 30.25, 40.0]]


def write_results(names, run_ids, boxes=BOXES, times=(0.5, 0.025)):
    for run_id in run_ids:
        folder = Path(Tracker("t", "p", run_id).results_dir)
        for name in names:
            results.save(folder, name, Result(boxes, list(times)))


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    for name in ("RESULTS_PATH", "GOT_PACKED_RESULTS_PATH", "TN_PACKED_RESULTS_PATH"):
        monkeypatch.setenv(f"PYTRACKING_ET_{name}", str(tmp_path / name.lower()))


@pytest.fixture
def no_fsync(monkeypatch):
    """Thousands of small files need not survive a power cut here."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def few(monkeypatch, no_fsync):
    """A benchmark of eight sequences."""
    monkeypatch.setattr(packers, "GOT10K_NAMES", tuple(NAMES[:8]))
    return NAMES[:8]


@pytest.mark.filterwarnings("ignore:numbers of frames")
def test_got10k_golden(no_fsync, tmp_path):
    write_results(NAMES, range(3))
    path = packers.pack_got10k_results("t", "p", "out")
    assert path == tmp_path / "got_packed_results_path" / "out.zip"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert len(content) == 180 * 4
    first = "GOT-10k_Test_000001/GOT-10k_Test_000001"
    for run in ("001", "002", "003"):
        assert content[f"{first}_{run}.txt"] == (
            b"10.000000,20.000000,30.000000,40.000000\n10.123500,-0.500000,30.250000,40.000000\n"
        )
    assert content[f"{first}_time.txt"] == (
        b"0.500000,0.500000,0.500000\n0.025000,0.025000,0.025000\n"
    )


@pytest.mark.filterwarnings("ignore:numbers of frames")
def test_got10k_single_run_of_a_deterministic_tracker(few, tmp_path):
    write_results(few, [None])
    with pytest.raises(ResultsError, match="p_000"):
        packers.pack_got10k_results("t", "p", "out")
    path = packers.pack_got10k_results("t", "p", str(tmp_path / "one.zip"), runs=1)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 8 * 2
        assert archive.read(f"{NAMES[4]}/{NAMES[4]}_time.txt") == b"0.500000\n0.025000\n"


@pytest.mark.filterwarnings("ignore:numbers of frames")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "cannot read .*GOT-10k_Test_000007"),
        ("shorter", "GOT-10k_Test_000007: runs differ in length"),
        ("times", "p_001/GOT-10k_Test_000007: 1 times for 2 boxes"),
        ("nan", r"p_001/GOT-10k_Test_000007, line 2: bad box .*nan"),
        ("negative", r"p_001/GOT-10k_Test_000007, line 2: bad box .*-3"),
    ],
)
def test_got10k_refuses(few, tmp_path, damage, message):
    write_results(few, range(3))
    folder = Path(Tracker("t", "p", 1).results_dir)
    name = "GOT-10k_Test_000007"
    boxes = folder / f"{name}_float.txt"
    if damage == "missing":
        boxes.unlink()
        (folder / f"{name}.txt").unlink()
    elif damage == "shorter":
        results.save(folder, name, Result(BOXES[:1], [0.5]))
    elif damage == "times":
        (folder / f"{name}_time.txt").write_text("0.5\n")
    else:
        bad = "nan" if damage == "nan" else "-3"
        for path in (boxes, folder / f"{name}.txt"):
            path.write_text(f"1\t2\t3\t4\n1\t2\t{bad}\t4\n")
    with pytest.raises(ResultsError, match=message):
        packers.pack_got10k_results("t", "p", "out")
    assert not (tmp_path / "got_packed_results_path").exists()


@pytest.mark.filterwarnings("ignore:numbers of frames")
def test_sequences_of_older_settings_are_refused(few, tmp_path):
    write_results(few, [None])
    book = Manifest.open(Path(Tracker("t", "p").results_dir), "t", "p")
    for fingerprint, names in (("old", few), ("new", few[1:])):
        book.begin(fingerprint, {})
        for name in names:
            book.record(name, fingerprint, "got10k_test", BOXES[0], [0.1, 0.2], {})
    book.write()
    with pytest.raises(ResultsError, match=r"p: 1 of 8 sequences .*: GOT-10k_Test_000001; run"):
        packers.pack_got10k_results("t", "p", "out", runs=1)
    book.record(few[0], "new", "got10k_test", BOXES[0], [0.1, 0.2], {})
    book.write()
    assert packers.pack_got10k_results("t", "p", "out", runs=1).is_file()


@pytest.mark.filterwarnings("ignore:numbers of frames")
@pytest.mark.parametrize("differs", ["weights", "parameters", "threads"])
def test_runs_of_several_settings_are_refused(few, differs):
    write_results(few, range(3))
    for run in range(3):
        settings = {
            "weights": {"sha256": "a", "file": f"{run}.pth"},
            "parameters": {"run_id": run, "threads": run, "lr": 1},
        }
        if run == 1 and differs != "threads":
            settings[differs] = {"sha256": "b"} if differs == "weights" else {"lr": 2}
        book = Manifest.open(Path(Tracker("t", "p", run).results_dir), "t", "p", run)
        book.begin(f"print{run}", settings)
        for name in few:
            book.record(name, f"print{run}", "got10k_test", BOXES[0], [0.1, 0.2], {})
        book.write()
    if differs == "threads":
        assert packers.pack_got10k_results("t", "p", "out").is_file()
    else:
        with pytest.raises(ResultsError, match="runs differ in parameters, weights"):
            packers.pack_got10k_results("t", "p", "out")


def test_missing_data_set_is_warned_of_unless_it_was_named(few, tmp_path):
    write_results(few, [None])
    with pytest.warns(UserWarning, match="numbers of frames are not checked"):
        packers.pack_got10k_results("t", "p", "out", runs=1)
    with pytest.raises(DatasetError, match="nowhere"):
        packers.pack_got10k_results("t", "p", "out", runs=1, dataset_root=tmp_path / "nowhere")


def make_trackingnet(root: Path, names, frames=2):
    for name in names:
        (root / "TEST" / "frames" / name).mkdir(parents=True)
        for number in range(frames):
            (root / "TEST" / "frames" / name / f"{number}.jpg").write_bytes(b"")
        (root / "TEST" / "anno").mkdir(exist_ok=True)
        (root / "TEST" / "anno" / f"{name}.txt").write_text("1,2,3,4\n")
    return root


def test_trackingnet_golden(tmp_path, monkeypatch):
    monkeypatch.setattr(packers, "TRACKINGNET_COUNT", 3)
    names = ["-abc_0", "Zed_1", "x"]
    root = make_trackingnet(tmp_path / "tn", names)
    write_results(names, [None])
    path = packers.pack_trackingnet_results("t", "p", dataset_root=root)
    assert path == tmp_path / "tn_packed_results_path" / "t_p.zip"
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == sorted(f"{name}.txt" for name in names)
        assert archive.read("-abc_0.txt") == b"10.00,20.00,30.00,40.00\n10.12,-0.50,30.25,40.00\n"


@pytest.mark.parametrize(
    ("names", "frames", "message"),
    [(["a", "b"], 2, "cannot read .*c.txt"), (["a", "b", "c"], 3, "a: 2 boxes for 3 frames")],
)
def test_trackingnet_refuses(tmp_path, monkeypatch, names, frames, message):
    monkeypatch.setattr(packers, "TRACKINGNET_COUNT", 3)
    root = make_trackingnet(tmp_path / "tn", ["a", "b", "c"], frames)
    write_results(names, [None])
    with pytest.raises(ResultsError, match=message):
        packers.pack_trackingnet_results("t", "p", dataset_root=root)
    assert not (tmp_path / "tn_packed_results_path").exists()


@pytest.mark.filterwarnings("ignore:numbers of frames")
def test_trackingnet_leaves_out_what_is_of_other_data_sets(monkeypatch):
    """One folder holds the results of all; without the data set it alone tells the videos."""
    monkeypatch.setattr(packers, "TRACKINGNET_COUNT", 2)
    write_results(["x", "y", "Basketball", "uav_bike1"], [None])
    folder = Path(Tracker("t", "p").results_dir)
    book = Manifest.open(folder, "t", "p")
    for name, dataset in (("x", "trackingnet"), ("Basketball", "otb")):
        book.record(name, "one", dataset, BOXES[0], [0.1, 0.2], {})
    book.write()
    with zipfile.ZipFile(packers.pack_trackingnet_results("t", "p")) as archive:
        assert archive.namelist() == ["x.txt", "y.txt"]


@pytest.mark.filterwarnings("ignore:numbers of frames")
def test_trackingnet_counts_videos_without_the_data_set():
    write_results(["a"], [4])
    with pytest.raises(ResultsError, match="1 videos; the test set has 511"):
        packers.pack_trackingnet_results("t", "p", 4)
