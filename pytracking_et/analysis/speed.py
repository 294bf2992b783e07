"""Frames per second from `_time.txt` files (seconds per frame, decoding excluded)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import ResultsError


def fps_statistics(times: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Speed of one run.

    The first frame of a sequence is the initialisation and is stated apart. The mean is tracked
    frames over total time: the mean of 1 / time would let a few fast frames outweigh slow ones.

    Args:
        times: sequence -> (frames,) seconds.

    Returns:
        fps, median_fps, slow_fps (95th percentile of the frame time), init_ms; NaN where there
        are no times.

    Raises:
        ResultsError: a time that is negative or not finite, with its sequence and row.
    """
    tracked: list[np.ndarray] = []
    first: list[float] = []
    for name, values in times.items():
        seconds = np.asarray(values, dtype=np.float64).reshape(-1)
        bad = np.flatnonzero(~np.isfinite(seconds) | (seconds < 0))
        if bad.size:
            raise ResultsError(
                f"time of sequence {name!r}, row {bad[0] + 1}: {seconds[bad[0]]} is no duration"
            )
        first.extend(seconds[:1])
        tracked.append(seconds[1:])
    frames = np.concatenate(tracked) if tracked else np.zeros(0)
    if not frames.size or frames.sum() <= 0:
        nan = float("nan")
        init = 1000 * float(np.median(first)) if first else nan
        return {"fps": nan, "median_fps": nan, "slow_fps": nan, "init_ms": init}
    with np.errstate(divide="ignore"):
        median, slow = 1 / np.percentile(frames, [50, 95])
    return {
        "fps": frames.size / float(frames.sum()),
        "median_fps": float(median),
        "slow_fps": float(slow),
        "init_ms": 1000 * float(np.median(first)),
    }


def speed_table(times: Mapping[str, Mapping[str, ArrayLike]]) -> pd.DataFrame:
    """`fps_statistics` of several trackers: one row each."""
    rows = {label: fps_statistics(one) for label, one in times.items()}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.name = "tracker"
    return frame
