import json
import xml.etree.ElementTree as ET

import pytest

from pytracking_et.errors import ResultsError
from pytracking_et.results.exchange import WRITERS, TrackRow, starts

ROWS = [
    TrackRow(3, 1, (10.0, 20.0, 40.0, 30.0), 0.9, (200, 100)),
    TrackRow(2, 1, (8.0, 20.0, 40.0, 30.0), 1.0, (100, 200)),
    TrackRow(3, 4, (0.0, 0.0, 100.0, 50.0), 0.25, (200, 100)),
]


def test_mot_counts_from_one():
    assert WRITERS["mot"](ROWS).splitlines() == [
        "3,1,9.000,21.000,40.000,30.000,1.0000,-1,-1,-1",
        "4,1,11.000,21.000,40.000,30.000,0.9000,-1,-1,-1",
        "4,4,1.000,1.000,100.000,50.000,0.2500,-1,-1,-1",
    ]


def test_yolo_is_in_shares_of_the_picture():
    first, _, last = WRITERS["yolo"](ROWS).splitlines()
    assert first == "2 1 0 0.280000 0.175000 0.400000 0.150000 1.0000"
    assert last == "3 4 0 0.250000 0.250000 0.500000 0.500000 0.2500"


def test_coco():
    found = json.loads(WRITERS["coco"](ROWS))
    images = [(image["id"], image["width"], image["height"]) for image in found["images"]]
    assert images == [(3, 100, 200), (4, 200, 100)]
    last = found["annotations"][-1]
    assert (last["image_id"], last["track_id"], last["bbox"]) == (4, 4, [0, 0, 100, 50])
    assert last["area"] == 5000


@pytest.mark.parametrize("kind", ["mot", "cvat"])
def test_what_is_written_gives_the_starts(kind):
    assert starts(WRITERS[kind](ROWS)) == [
        TrackRow(2, 1, (8.0, 20.0, 40.0, 30.0), 1.0, (0, 0)),
        TrackRow(3, 4, (0.0, 0.0, 100.0, 50.0), 1.0, (0, 0)),
    ]


def test_tracks_of_cvat_itself_count_from_zero():
    box = '<box frame="0" xtl="1" ytl="1" xbr="9" ybr="9" outside="0"/>'
    tracks = "".join(f'<track id="{number}">{box}</track>' for number in (0, 3))
    assert [row.target for row in starts(f"<annotations>{tracks}</annotations>")] == [1, 4]


@pytest.mark.parametrize(
    ("ids", "numbers"), [("01", [1, 2]), ("20", [1, 3]), ("44", [1, 2]), ("x1", [1, 2])]
)
def test_numbers_of_cvat_tracks(ids, numbers):
    box = '<box frame="0" xtl="0" ytl="0" xbr="9" ybr="9"/>'
    text = "".join(f'<track id="{one}">{box}</track>' for one in ids)
    assert [row.target for row in starts(f"<annotations>{text}</annotations>")] == numbers


def test_cvat_ends_tracks_within_the_video():
    rows = [ROWS[0], ROWS[1], ROWS[1]._replace(target=2)]
    tracks = ET.fromstring(WRITERS["cvat"](rows)).iter("track")
    found = [[(box.get("frame"), box.get("outside")) for box in track] for track in tracks]
    assert found == [[("2", "0"), ("3", "0")], [("2", "0"), ("3", "1")]]


@pytest.mark.parametrize(
    "text",
    ["1,2,three,4,5,6", "1,2", "<annotations><track>", "<!DOCTYPE x><a/>",
     "<a><track><box frame='1' xtl='0'/></track></a>", "inf,1,1,1,1,1",
     "0,1,10,10,20,20", "1.5,1,10,10,20,20", "1,1.5,10,10,20,20", "1,-1,10,10,20,20"],
)  # fmt: skip
def test_other_text_is_refused(text):
    with pytest.raises(ResultsError):
        starts("<" + text[1:] if text.startswith("<") else text)
