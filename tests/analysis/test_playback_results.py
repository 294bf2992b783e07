"""Playback writes a video that can be read back."""

from __future__ import annotations

import cv2
import pytest

from pytracking_et.analysis.playback_results import playback_results
from pytracking_et.errors import ImageError, ResultsError


def test_video(world, tmp_path):
    path = playback_results(world.trackers, world.sequences[0], tmp_path / "a.mp4")
    video = cv2.VideoCapture(str(path))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == len(world.sequences[0].frames)
    done, image = video.read()
    video.release()
    assert done
    assert image.shape == (120, 160, 3)
    assert image.max() > 220  # the white ground truth; the frames are grey


def test_a_missing_frame_leaves_no_video(world, tmp_path):
    world.sequences[0].frames[5] += "x"
    with pytest.raises(ImageError, match="0006.jpgx"):
        playback_results(world.trackers, world.sequences[0], tmp_path / "a.mp4")
    assert not list(tmp_path.glob("*a.mp4*"))


def test_missing_results(world, tmp_path):
    world.sequences[0].name = "Other"
    with pytest.raises(ResultsError, match="Other"):
        playback_results(world.trackers, world.sequences[0], tmp_path / "a.mp4")
