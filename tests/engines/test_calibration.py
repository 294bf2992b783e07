"""Calibration crops from annotated tracks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pytracking_et.engines.calibration import pairs
from pytracking_et.errors import DatasetError


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
    found = pairs(tracks, 6, search_size=side)
    assert found.templates.shape == (6, 127, 127, 3)
    assert found.searches.shape == (6, side, side, 3)
    # The template is centred; the search crop is off by at most the shift.
    assert (found.templates[:, 63, 63] > 200).all()
    middle = slice(side // 2 - 64, side // 2 + 64)
    assert (found.searches[:, middle, middle].max((1, 2, 3)) > 200).all()


def test_pairs_are_repeatable(tracks):
    first = pairs(tracks, 4).searches
    np.testing.assert_array_equal(first, pairs(tracks, 4).searches)
    assert not np.array_equal(first, pairs(tracks, 4, seed=1).searches)


def test_a_folder_without_tracks(tmp_path):
    with pytest.raises(DatasetError, match="annotations.csv"):
        pairs(tmp_path)


def test_a_missing_frame_is_named(tracks):
    for frame in range(3):
        (tracks / "plain" / "t" / f"{frame:05d}.jpg").unlink()
    with pytest.raises(DatasetError, match="plain"):
        pairs(tracks, 4)
