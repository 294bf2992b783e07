"""The adapter, and the real GOT-10k toolkit running it."""

from __future__ import annotations

import copy
import importlib.util

import cv2
import numpy as np
import pytest
from PIL import Image

from pytracking_et import ETTracker
from pytracking_et.analysis import score
from pytracking_et.boxes import iou
from pytracking_et.errors import ParameterError
from pytracking_et.integrations.got10k import GOT10kTracker

from ..conftest import ROOT

START = np.array([50.0, 40.0, 30.0, 20.0])


def images(folder, count=4):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    paths = []
    for number in range(1, count + 1):
        paths.append(str(folder / f"{number:08d}.jpg"))
        cv2.imwrite(paths[-1], random.integers(0, 256, (120, 160, 3), np.uint8))
    return paths


@pytest.fixture
def tracker(checkpoint):
    return GOT10kTracker(checkpoint=checkpoint, parameter="lt_mobile", engine="torch", threads=1)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_its_target(tracker, make):
    frames = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), np.uint8)
    tracker.init(frames[0], START)
    expected = copy.deepcopy(tracker).update(frames[1])
    twin = make(tracker)
    tracker.init(frames[2], [10, 10, 60, 60])
    np.testing.assert_array_equal(twin.update(frames[1]), expected)


def test_track_equals_our_own_api(tracker, checkpoint, tmp_path):
    paths = images(tmp_path)
    boxes, seconds = tracker.track(paths, START)
    own = ETTracker(checkpoint, "lt_mobile", engine="torch", color="bgr", threads=1)
    own.init(cv2.imread(paths[0]), START)
    expected = [START, *(own.update(cv2.imread(path)).box for path in paths[1:])]
    np.testing.assert_array_equal(boxes, expected)
    assert seconds.shape == (4,)
    assert (seconds > 0).all()


@pytest.mark.parametrize("mode", ["P", "L", "CMYK"])
def test_pil_images_of_other_modes_are_seen_in_their_colors(tracker, tmp_path, mode):
    frames = [Image.open(path).convert(mode) for path in images(tmp_path, 2)]
    boxes = []
    for colored in (frames, [frame.convert("RGB") for frame in frames]):
        tracker.init(colored[0], START)
        boxes.append(tracker.update(colored[1]))
    np.testing.assert_array_equal(*boxes)


def test_init_and_update_take_pil_images(tracker, tmp_path):
    paths = images(tmp_path)
    boxes, _ = tracker.track(paths, START)
    tracker.init(Image.open(paths[0]), START)
    found = [tracker.update(Image.open(path).convert("RGB")) for path in paths[1:]]
    # Pillow and OpenCV round JPEG's colours differently.
    np.testing.assert_allclose(found, boxes[1:], atol=1.0)


@pytest.mark.parametrize(("said", "wanted"), [({}, "f32"), ({"precision": "auto"}, "auto")])
def test_precision(said, wanted, checkpoint, monkeypatch):
    from pytracking_et.integrations import got10k

    given = []
    monkeypatch.setattr(got10k, "ETTracker", lambda **options: given.append(options["precision"]))
    GOT10kTracker(checkpoint=checkpoint, **said)
    assert given == [wanted]


def test_what_the_toolkit_reads(tracker):
    assert tracker.name == "pytracking_et_lt_mobile"
    assert tracker.is_deterministic is True


def test_no_window(tracker, tmp_path):
    with pytest.raises(ParameterError, match="visualize=True"):
        tracker.track(images(tmp_path), START, visualize=True)


@pytest.mark.slow
def test_got10k_experiment(tracker, tmp_path):
    """Validation set of one sequence: three runs wanted, one made, as we are deterministic."""
    experiments = pytest.importorskip("got10k.experiments")
    folder = tmp_path / "data" / "val" / "GOT-10k_Val_000001"
    images(folder)
    (folder.parent / "list.txt").write_text(folder.name + "\n")
    (folder / "groundtruth.txt").write_text("50,40,30,20\n" * 4)
    # Visibility runs from 0 to 8; the toolkit counts frames with cover > 0.
    for name, value in (("cover", 8), ("absence", 0), ("cut_by_image", 0)):
        (folder / f"{name}.label").write_text(f"{value}\n" * 4)
    (folder / "meta_info.ini").write_text("[METAINFO]\nresolution: (160, 120)\nobject_class: dog")
    run = experiments.ExperimentGOT10k(
        str(tmp_path / "data"), "val", str(tmp_path / "results"), str(tmp_path / "reports")
    )
    run.run(tracker)
    results = tmp_path / "results" / "GOT-10k" / tracker.name / folder.name
    assert sorted(path.name for path in results.iterdir()) == [
        "GOT-10k_Val_000001_001.txt",
        "GOT-10k_Val_000001_time.txt",
    ]
    assert 0 <= run.report([tracker.name])[tracker.name]["overall"]["ao"] <= 1


@pytest.fixture
def example():
    """docs/examples/got10k_experiments.py as a module."""
    pytest.importorskip("got10k")
    spec = importlib.util.spec_from_file_location(
        "got10k_experiments", ROOT / "docs" / "examples" / "got10k_experiments.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hide(dataset, name, first, last, folder):
    """Annotate frames of a sequence as absent (NaN), in a copy."""
    index = dataset.seq_names.index(name)
    rows = np.loadtxt(dataset.anno_files[index], delimiter=",")
    rows[first:last] = np.nan
    dataset.anno_files[index] = str(folder / f"{name}.txt")
    np.savetxt(dataset.anno_files[index], rows, delimiter=",")


def only(dataset, names):
    """Restrict the toolkit's list of sequences."""
    wanted = [dataset.seq_names.index(name) for name in names]
    for field in ("anno_files", "seq_dirs", "seq_names"):
        setattr(dataset, field, [getattr(dataset, field)[index] for index in wanted])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "folder", "names"),
    [
        ("otb", "OTB100", ["Deer", "Jogging.1"]),
        ("uav", "UAV123", ["wakeboard7"]),
    ],
)
def test_success_score_beside_ours(shared, lighttrack, example, tmp_path, kind, folder, names):
    """Same boxes, same curve; the rules differ where the target is absent.

    On UAV123 the toolkit leaves frames without an annotation (NaN) out of the mean; pytracking, and
    so our default, counts them as misses of the success plot.
    """
    run = example.experiment(kind, shared / "sequences" / folder, tmp_path)
    only(run.dataset, names)
    if kind == "uav":
        hide(run.dataset, names[0], 20, 40, tmp_path)
    tracker = GOT10kTracker(checkpoint=lighttrack, parameter="lt_mobile", engine="torch", threads=1)
    run.run(tracker)
    theirs = run.report([tracker.name])[tracker.name]["overall"]
    annotations = {name: run.dataset[name][1] for name in names}
    folder = tmp_path / "results" / ("OTB2015" if kind == "otb" else "UAV123") / tracker.name
    boxes = {name: np.loadtxt(folder / f"{name}.txt", delimiter=",") for name in names}

    curves, shares = [], []
    for name in names:
        valid = ~np.isnan(annotations[name]).any(axis=1)
        boxes[name][0] = annotations[name][0]
        overlap = iou(boxes[name][valid], annotations[name][valid])
        curves.append((overlap[:, None] > np.linspace(0, 1, 21)).mean())
        shares.append(valid.mean())
    assert theirs["success_score"] == pytest.approx(np.mean(curves), abs=1e-9)

    ours = score(boxes, annotations, dataset=kind)
    seen = np.mean(shares)
    assert seen == (1 if kind == "otb" else 47 / 67)
    assert ours.auc == pytest.approx(100 * theirs["success_score"] * seen, abs=1e-6)
    assert ours.auc > 40
    if kind == "otb":
        assert ours.precision == pytest.approx(100 * theirs["precision_score"], abs=1e-9)
