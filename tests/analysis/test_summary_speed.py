"""Frames per second from times."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.analysis.summary import fps_statistics, speed_table
from pytracking_et.errors import ResultsError


def test_the_first_frame_is_stated_apart():
    got = fps_statistics({"a": [9.0, 0.1, 0.1, 0.2], "b": [1.0, 0.1]})
    assert got["fps"] == pytest.approx(4 / 0.5)
    assert got["median_fps"] == pytest.approx(10)
    assert got["slow_fps"] == pytest.approx(1 / np.percentile([0.1, 0.1, 0.2, 0.1], 95))
    assert got["init_ms"] == pytest.approx(5000)


@pytest.mark.parametrize("times", [{}, {"a": [0.5]}])
def test_no_tracked_frames(times):
    assert np.isnan(fps_statistics(times)["fps"])


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_times_that_are_none(bad):
    with pytest.raises(ResultsError, match="'a', row 2"):
        fps_statistics({"a": [0.1, bad]})


def test_table():
    frame = speed_table({"x": {"a": [1, 0.5]}, "y": {}})
    assert frame.loc["x", "fps"] == 2
    assert frame.index.name == "tracker"
