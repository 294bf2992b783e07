import json

import numpy as np

from pytracking_et.live.web.results import Row, Rows, to_csv, to_json
from pytracking_et.version import __version__

ROWS = [
    Row.of(0, 0.0, np.array([10, 20, 30.5, 40]), None),
    Row.of(1, 0.04, np.array([10.12345, 20, 30.5, 40]), 0.98765432),
]


def test_csv():
    assert to_csv(ROWS) == (
        "frame,time,x,y,w,h,score\n"
        "0,0.0,10.0,20.0,30.5,40.0,\n"
        "1,0.04,10.123,20.0,30.5,40.0,0.9877\n"
    )


def test_json():
    assert json.loads(to_json(ROWS, {"name": "clip.mp4"}, "fake", 0.5)) == {
        "format": "pytracking-et boxes 1",
        "version": __version__,
        "tracker": "fake",
        "source": {"name": "clip.mp4"},
        "convention": "x, y, w, h in pixels, 0-based, x y is the top-left corner",
        "low_score": 0.5,
        "boxes": [
            {"frame": 0, "time": 0.0, "box": [10.0, 20.0, 30.5, 40.0], "score": None},
            {"frame": 1, "time": 0.04, "box": [10.123, 20.0, 30.5, 40.0], "score": 0.9877},
        ],
    }


def test_cut_forgets_what_follows():
    rows = Rows()
    for row in ROWS:
        rows.add(row)
    version = rows.version
    rows.cut(1)
    assert rows.snapshot() == ROWS[:1]
    assert rows.get(1) is None
    assert rows.version != version
