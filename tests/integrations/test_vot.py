"""The tracker entry with the real toolkit and the real TraX library; nothing is imitated."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import cv2
import numpy as np
import pytest

from pytracking_et import ETTracker
from pytracking_et.boxes import iou
from pytracking_et.commands import main
from pytracking_et.errors import BoxError
from pytracking_et.spec import TrackerSpec

from ..conftest import ROOT
from . import vot_workspace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

trax = pytest.importorskip("trax", reason="pip install 'pytracking-et[vot]'")
from pytracking_et.integrations.vot import bounding_rectangle  # noqa: E402

MODULE = "pytracking_et.integrations.vot"


def toolkit() -> tuple[int, ...]:
    """Version of the vot-toolkit, which is an application on top of TraX."""
    pytest.importorskip("vot", reason="pip install 'pytracking-et[vot]'", exc_type=ImportError)
    return tuple(int(part) for part in metadata.version("vot-toolkit").split(".")[:2])


@pytest.mark.parametrize(
    ("region", "box"),
    [
        (lambda: trax.Rectangle.create(1.5, 2.5, 30, 40), [1.5, 2.5, 30, 40]),
        (lambda: trax.Polygon.create([(10, 0), (20, 10), (10, 20), (0, 10)]), [0, 0, 20, 20]),
        (lambda: trax.Polygon.create([(5.5, 3.0), (9.0, 7.25), (4.0, 6.0)]), [4, 3, 5, 4.25]),
        (lambda: trax.Mask.create(np.ones((1, 1), np.uint8), 7, 9), [7, 9, 1, 1]),
        (
            lambda: trax.Mask.create(np.pad(np.ones((3, 5), np.uint8), 2), x=10, y=20),
            [12, 22, 5, 3],
        ),
    ],
)
def test_bounding_rectangle(region, box):
    np.testing.assert_allclose(bounding_rectangle(region()), box)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (lambda: trax.Special.create(0), "'special' cannot be tracked"),
        (lambda: trax.Mask.create(np.zeros((3, 4), np.uint8)), r"\(3, 4\) pixels is empty"),
    ],
)
def test_regions_without_an_object(region, words):
    with pytest.raises(BoxError, match=words):
        bounding_rectangle(region())


def test_missing_weights_are_told_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--parameter", "lt_mobile", "--checkpoint", "gone.npz"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert "gone.npz" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("said", "wanted"), [(None, "f32"), ("auto", "auto"), ("bf16", "bf16")])
def test_precision(said, wanted, monkeypatch):
    from pytracking_et.integrations import vot
    from pytracking_et.live import run as live

    options = []
    monkeypatch.setattr(live, "make_tracker", options.append)
    monkeypatch.setattr(vot, "serve", lambda *_: None)
    vot.run(TrackerSpec(parameter="lt_mobile", precision=said))
    assert options[0].precision == wanted


def clip(count: int, seed: int = 0) -> tuple[list[np.ndarray], list[list[float]]]:
    """A bright patch with texture on a noisy ground: BGR images and boxes."""
    random = np.random.default_rng(seed)
    ground = random.integers(0, 90, (120, 160, 3), np.uint8)
    patch = random.integers(120, 256, (24, 30, 3), np.uint8)
    images, boxes = [], []
    for index in range(count):
        x, y = 20 + 3 * index, 30 + 2 * index
        image = ground.copy()
        image[y : y + 24, x : x + 30] = patch
        images.append(image)
        boxes.append([x, y, 30, 24])
    return images, boxes


@pytest.fixture
def session(checkpoint):
    """Our entry in a process of its own, as the toolkit starts it, and a client to it."""
    words = ["--parameter", "lt_mobile", "--checkpoint", str(checkpoint), "--engine", "torch"]
    with vot_workspace.session("-m", MODULE, *words) as found:
        yield found


@pytest.mark.slow
def test_session_over_trax(session, tmp_path):
    """Handshake, mask and polygon as first regions, an object that joins later, a new start."""
    images, boxes = clip(3)
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(str(path), image)
    frames = [{"color": trax.FileImage.create(str(path))} for path in paths]
    process, client = session
    assert client.get("multiobject")
    assert set(client.region_formats) == {"rectangle", "polygon", "mask"}

    x, y, w, h = boxes[0]
    polygon = trax.Polygon.create([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    mask = np.zeros((120, 160), np.uint8)
    mask[40:60, 70:100] = 1
    objects, _ = client.initialize(frames[0], [(polygon, {}), (trax.Mask.create(mask), {})], {})
    assert [region.bounds() for region, _ in objects] == [(x, y, w, h), (70, 40, 30, 20)]
    assert [properties["confidence"] for _, properties in objects] == ["1.0", "1.0"]

    objects, _ = client.frame(frames[1], {}, [])
    assert len(objects) == 2
    assert all(0 <= float(properties["confidence"]) <= 1 for _, properties in objects)

    joins = (trax.Rectangle.create(*boxes[2]), {})
    objects, _ = client.frame(frames[2], {}, [joins])
    assert len(objects) == 3
    assert objects[2][0].bounds() == tuple(boxes[2])

    objects, _ = client.initialize(frames[0], [joins], {})
    assert len(objects) == 1, "a new start forgets the former objects"
    client.quit()
    assert process.wait(60) == 0


@pytest.mark.slow
def test_the_toolkit_is_told_why_a_session_ends(session, tmp_path):
    path = tmp_path / "0.png"
    cv2.imwrite(str(path), clip(1)[0][0])
    process, client = session
    outside = (trax.Rectangle.create(500, 500, 10, 10), {})
    with pytest.raises(trax.TraxException, match="outside the image of 160x120"):
        client.initialize({"color": trax.FileImage.create(str(path))}, [outside], {})
    assert process.wait(60) == 2


def evaluate(folder, checkpoint) -> dict:
    """vot-init, evaluate, analysis and report in a workspace; the analysis' results."""
    words = ("--parameter", "lt_mobile", "--checkpoint", str(checkpoint), "--engine", "torch")
    assert main(["vot-init", str(folder), "--name", "mine", "--threads", "1", *words]) == 0
    assert "Evaluation concluded" in vot_workspace.vot(folder, "evaluate", "mine")
    assert "Analysis successful" in vot_workspace.vot(folder, "analysis", "--name", "all", "mine")
    assert "successful" in vot_workspace.vot(folder, "report", "--name", "page", "mine")
    page = (folder / "reports" / "page" / "report.html").read_text(encoding="utf-8")
    assert "mine" in page
    results = json.loads((folder / "analysis" / "all.json").read_text(encoding="utf-8"))
    return results["results"]["baseline"]


def expected(checkpoint, folder, box, count) -> np.ndarray:
    """Boxes of the frames after the first, by our own API on the same files."""
    tracker = ETTracker(checkpoint, "lt_mobile", engine="torch", color="bgr", threads=1)
    images = [cv2.imread(str(folder / "color" / f"{n:08d}.jpg")) for n in range(1, count + 1)]
    tracker.init(images[0], box)
    return np.array([tracker.update(image).box for image in images[1:]])


@pytest.mark.slow
def test_one_object_through_the_toolkit(checkpoint, tmp_path):
    toolkit()
    images, boxes = clip(5)
    sequence = tmp_path / "sequences" / "one"
    vot_workspace.write_sequence(sequence, images, {"": boxes})
    vot_workspace.write_stack(tmp_path)
    evaluate(tmp_path, checkpoint)
    folder = tmp_path / "results" / "mine" / "baseline" / "one"
    found = vot_workspace.trajectory(folder / "one_001.txt")
    np.testing.assert_allclose(found, expected(checkpoint, sequence, boxes[0], 5), atol=0.01)
    # The first frame's line is empty in vot-toolkit 0.7, 1.0 in 0.9.
    confidence = (folder / "one_001_confidence.value").read_text().splitlines()[-4:]
    assert len({float(value) for value in confidence}) == 4
    assert all(0 < float(value) < 1 for value in confidence)


@pytest.mark.slow
def test_two_objects_through_the_toolkit(checkpoint, tmp_path):
    toolkit()
    images, boxes = clip(4)
    other = [[80.0, 50.0, 40.0, 30.0]] * 4
    sequence = tmp_path / "sequences" / "two"
    vot_workspace.write_sequence(sequence, images, {"a": boxes, "b": other})
    vot_workspace.write_stack(tmp_path, multiobject=True)
    evaluate(tmp_path, checkpoint)
    folder = tmp_path / "results" / "mine" / "baseline" / "two"
    for key, start in (("a", boxes[0]), ("b", other[0])):
        found = vot_workspace.trajectory(folder / f"two_{key}_001.txt")
        np.testing.assert_allclose(found, expected(checkpoint, sequence, start, 4), atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("realtime", [False, True])
def test_multistart_of_the_short_term_challenge(checkpoint, tmp_path, realtime):
    if toolkit() >= (0, 8):
        pytest.skip(
            "vot-toolkit 0.8.0 to 0.9.0 end multistart experiments with 'ObjectQuery.state must be "
            "a Region' for every tracker; pip install 'vot-toolkit<0.8'"
        )
    images, boxes = clip(6)
    vot_workspace.write_sequence(
        tmp_path / "sequences" / "one", images, {"": boxes}, anchors=[1, 0, 0, 0, 0, -1]
    )
    vot_workspace.write_stack(tmp_path, "multistart", realtime=realtime)
    evaluate(tmp_path, checkpoint)
    folder = tmp_path / "results" / "mine" / "baseline" / "one"
    assert len(vot_workspace.trajectory(folder / "one_00000000.txt")) == 5
    assert len(vot_workspace.trajectory(folder / "one_00000005.txt")) == 5


@pytest.mark.slow
def test_real_sequence_through_the_toolkit(shared, lighttrack, tmp_path):
    toolkit()
    source, count = shared / "sequences" / "OTB100" / "Crossing", 30
    images = [cv2.imread(str(source / "img" / f"{n:04d}.jpg")) for n in range(1, count + 1)]
    text = (source / "groundtruth_rect.txt").read_text().replace(",", " ")
    # OTB counts pixels from 1.
    boxes = np.array(text.split(), float).reshape(-1, 4)[:count] - [1, 1, 0, 0]
    vot_workspace.write_sequence(tmp_path / "sequences" / "crossing", images, {"": boxes.tolist()})
    vot_workspace.write_stack(tmp_path)
    evaluate(tmp_path, lighttrack)
    folder = tmp_path / "results" / "mine" / "baseline" / "crossing"
    overlap = iou(vot_workspace.trajectory(folder / "crossing_001.txt"), boxes[1:])
    assert overlap.mean() > 0.6


def test_pins_of_the_extra():
    """attributee 0.1.10 breaks `import vot`; vot-toolkit 0.9.0 has but unsupervised experiments."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    assert extras["vot"] == ["vot-toolkit>=0.7.4,<0.8", "attributee==0.1.9"]
    assert extras["vots"] == ["vot-toolkit>=0.9,<0.10", "attributee==0.1.9"]
    toolkit()
    assert metadata.version("attributee") == "0.1.9"
