"""Calibration crops from annotated tracks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.int8 import Ranges, find_ranges, keep_ranges, pairs, range_files
from pytracking_et.errors import DatasetError, EngineError, ImageError
from pytracking_et.network import weights


@pytest.fixture
def tracks(tmp_path):
    """Two tracks of three frames: a bright square that moves; one names its images."""
    for source, column in (("plain", False), ("named", True)):
        folder = tmp_path / "train" / source
        (folder / "t").mkdir(parents=True)
        rows = ["track,frame,x,y,w,h" + (",image" if column else "")]
        for frame in range(3):
            picture = np.full((90, 120, 3), 40, np.uint8)
            x = 30 + 10 * frame
            picture[30:50, x : x + 20] = 250
            name = f"t/{frame:05d}.jpg"
            cv2.imwrite(str(folder / name), picture)
            rows.append(f"t,{frame:05d},{x},30,20,20" + (f",{name}" if column else ""))
        (folder / "annotations.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "train"


@pytest.mark.parametrize("side", [256, 288])
def test_pairs_show_the_target(tracks, side):
    templates, searches = pairs(tracks, 6, search_size=side)
    assert templates.shape == (6, 127, 127, 3)
    assert searches.shape == (6, side, side, 3)
    # The template is centred; the search crop is off by at most the shift.
    assert (templates[:, 63, 63] > 200).all()
    middle = slice(side // 2 - 64, side // 2 + 64)
    assert (searches[:, middle, middle].max((1, 2, 3)) > 200).all()


def test_pairs_are_repeatable(tracks):
    first = pairs(tracks, 4)[1]
    np.testing.assert_array_equal(first, pairs(tracks, 4)[1])
    assert not np.array_equal(first, pairs(tracks, 4, seed=1)[1])


def test_a_folder_without_tracks(tmp_path):
    with pytest.raises(DatasetError, match="annotations.csv"):
        pairs(tmp_path)


def test_a_missing_frame_is_named(tracks):
    for frame in range(3):
        (tracks / "plain" / "t" / f"{frame:05d}.jpg").unlink()
    with pytest.raises(ImageError, match="plain"):
        pairs(tracks, 4)


def test_frames_without_the_target_are_left_out(tracks):
    table = tracks / "plain" / "annotations.csv"
    table.write_text(table.read_text() + "t,0,nan,nan,nan,nan\nt,1,0,0,0,0\n")
    before = pairs(tracks, 6)[1]
    table.write_text("\n".join(table.read_text().splitlines()[:-2]) + "\n")
    np.testing.assert_array_equal(before, pairs(tracks, 6)[1])


def test_a_table_saved_by_excel(tracks):
    expected = pairs(tracks, 4)[1]
    for name in ("plain", "named"):
        table = tracks / name / "annotations.csv"
        table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    np.testing.assert_array_equal(pairs(tracks, 4)[1], expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("track,frame,x,y,width,height\nt,0,1,2,3,4\n", "line 2: KeyError 'w'.*columns are"),
        ("track,frame,x,y,w,h\nt,0,1,2,3,4\nt,1,1,2,3,wide\n", "line 3.*'wide'"),
        ("track,frame,x,y,w,h\nt,0,1,2\n", "line 2"),
        ("image,x,y,w,h,track\na.jpg,1,2,3,4\n", "line 2: ValueError the row has too few"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tracks, text, words):
    (tracks / "plain" / "annotations.csv").write_text(text)
    with pytest.raises(DatasetError, match=f"annotations.csv, {words}"):
        pairs(tracks, 4)


RANGES = Ranges("ab" * 32, "two pairs", {"/a/Conv_output_0": (-1.5, 2.0), "image": (0.0, 255.0)})
# One tensor a line, so that a new measurement can be read as a difference.
GOLDEN = """{
  "weights_sha256": "%s",
  "source": "two pairs",
  "values": {
    "/a/Conv_output_0": [-1.5, 2.0],
    "image": [0.0, 255.0]
  }
}
"""


def test_file(tmp_path):
    path = tmp_path / "r.json"
    RANGES.write(path)
    assert path.read_text() == GOLDEN % ("ab" * 32)
    assert Ranges.read(path) == RANGES


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"values": {"a": 1}}'])
def test_damaged_file(tmp_path, content):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(EngineError, match=r"cannot read .*r\.json.*--calibration"):
        Ranges.read(tmp_path / "r.json")


def test_other_values_are_another_digest():
    assert RANGES.digest == Ranges("", "elsewhere", RANGES.values).digest
    assert RANGES.digest != Ranges("", "", {**RANGES.values, "image": (0.0, 254.0)}).digest


def test_own_ranges_come_before_shipped_ones(tmp_path):
    digest = RANGES.weights_sha256
    model = Model("net", tmp_path / "net.safetensors", digest)
    assert find_ranges(model) is None
    shipped = Ranges(digest, "shipped", {"a": (0.0, 1.0)})
    shipped.write(tmp_path / "net.int8.json")
    assert find_ranges(model) == shipped
    kept = keep_ranges(RANGES, model)
    assert kept == range_files(model)[0] and find_ranges(model) == RANGES


def test_ranges_of_other_weights_are_not_taken(tmp_path):
    RANGES.write(tmp_path / "net.int8.json")
    assert find_ranges(Model("net", tmp_path / "net.safetensors", "cd" * 32)) is None


def test_shipped_ranges_are_of_the_shipped_weights():
    path = weights.PACKAGE_WEIGHTS / "et_tracker.safetensors"
    found = find_ranges(Model.find("et_tracker", path))
    assert found is not None, "measure again: ettrack export --precision int8 --calibration ..."
    assert all(low < high for low, high in found.values.values())
