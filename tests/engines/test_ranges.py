"""Ranges of int8: the file, where it is looked for, whose it is."""

from __future__ import annotations

import pytest

from pytracking_et.engines.ranges import Ranges, find, keep, places
from pytracking_et.errors import EngineError
from pytracking_et.network import weights

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
    file, digest = tmp_path / "net.safetensors", RANGES.weights_sha256
    assert find(file, digest) is None
    shipped = Ranges(digest, "shipped", {"a": (0.0, 1.0)})
    shipped.write(tmp_path / "net.int8.json")
    assert find(file, digest) == shipped
    kept = keep(RANGES, file)
    assert kept == places(file, digest)[0] and find(file, digest) == RANGES


def test_ranges_of_other_weights_are_not_taken(tmp_path):
    RANGES.write(tmp_path / "net.int8.json")
    assert find(tmp_path / "net.safetensors", "cd" * 32) is None


def test_shipped_ranges_are_of_the_shipped_weights():
    path = weights.PACKAGE_WEIGHTS / "et_tracker.safetensors"
    found = find(path, weights.fingerprint(path))
    assert found is not None, "measure again: ettrack export --precision int8 --calibration ..."
    assert all(low < high for low, high in found.values.values())
