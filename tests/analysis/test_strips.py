"""Which frames and sequences the report shows."""

from __future__ import annotations

import base64
from dataclasses import replace

import cv2
import numpy as np
import pytest

from pytracking_et.analysis.strips import (
    SequenceResult,
    choose_frames,
    draw_boxes,
    film_strip,
    pick,
    rgb,
    spans,
    timeline,
    view,
)
from pytracking_et.evaluation.datasets.ondisk import ListedFrames


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("", []), ("000", []), ("111", [(0, 2)]), ("0110100", [(1, 2), (4, 4)]), ("01", [(1, 1)])],
)
def test_spans(flags, expected):
    assert spans(np.array([c == "1" for c in flags], bool)) == expected


def test_frames_show_first_last_and_the_longest_loss():
    overlap = np.full(200, 0.8)
    overlap[120:160] = 0.0
    overlap[30] = 0.0
    chosen = choose_frames(overlap, 8)
    assert len(chosen) == len(set(chosen)) == 8
    assert {0, 199, 119} <= set(chosen)
    assert any(overlap[i] == 0 and i > 100 for i in chosen)
    assert max(np.diff(chosen)) <= 60


@pytest.mark.parametrize(("frames", "count"), [(1, 8), (5, 8), (8, 8), (9, 8), (50, 1), (50, 2)])
def test_frames_of_short_sequences_and_few_pictures(frames, count):
    chosen = choose_frames(np.zeros(frames), count)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(frames, count)
    assert set(chosen) <= set(range(frames))


def test_pick_never_shows_a_sequence_twice():
    average = {"a": 0.1, "b": 0.9, "c": 0.5, "d": float("nan")}
    assert pick(average, 1) == (["b"], ["a"])
    best, worst = pick(average, 4)
    assert sorted(best + worst) == ["a", "b", "c"]


def result(tmp_path, n=30):
    frames = []
    for i in range(n):
        frames.append(str(tmp_path / f"{i}.png"))
        cv2.imwrite(frames[-1], np.full((80, 100, 3), 90, np.uint8))
    truth = np.tile([10.0, 10, 20, 20], (n, 1))
    overlap = np.stack([np.full(n, 0.7), np.full(n, 0.2)])
    overlap[0, 12:20] = 0
    overlap[:, 25:] = -1
    valid = np.arange(n) < 25
    boxes = np.stack([truth + [4, 0, 0, 0], truth + [30, 30, 0, 0]])
    return SequenceResult("s", truth, valid, boxes, overlap, frames)


def test_film_strip(tmp_path):
    pictures = film_strip(result(tmp_path), 6)
    assert len(pictures) == 6
    by_frame = {p["frame"]: p for p in pictures}
    assert by_frame[0]["iou"] == 0.7
    assert by_frame[29]["iou"] is None  # absent
    assert any(p["lost"] for p in pictures)
    kind, data = by_frame[0]["uri"].split(",")
    assert kind == "data:image/jpeg;base64"
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (80, 100, 3) and by_frame[0]["size"] == (100, 80)
    assert abs(image.astype(int) - 90).max() < 5  # nothing is drawn over the picture
    assert by_frame[0]["truth"] == [10, 10, 20, 20]
    assert by_frame[0]["boxes"] == [[14, 10, 20, 20], [40, 40, 20, 20]]
    assert by_frame[29]["truth"] is None and not by_frame[0]["detail"]


def test_no_pictures_where_only_the_annotation_is_there(tmp_path):
    gone = ListedFrames((str(tmp_path / "gone"),))
    assert film_strip(replace(result(tmp_path), frames=gone), 6) == []


@pytest.mark.parametrize(
    ("truth", "box", "expected"),
    [
        ((600, 300, 300, 200), (600, 300, 20, 20), (0, 0, 1280, 720)),  # large
        ((600, 300, 20, 20), (604, 302, 20, 20), (523, 261, 701, 361)),  # its surroundings
        ((0, 0, 20, 20), (0, 0, 20, 20), (0, 0, 178, 100)),  # at the border
        ((10, 10, 20, 20), (1250, 700, 20, 20), (0, 0, 1280, 720)),  # both are to be seen
        (None, (600, 300, 20, 20), (521, 260, 699, 360)),
        (None, (600, 300, 0, 0), (0, 0, 1280, 720)),
        (None, (float("nan"), 0, 1, 1), (0, 0, 1280, 720)),
    ],
)
def test_small_targets_are_shown_with_their_surroundings(truth, box, expected):
    given = None if truth is None else np.array(truth, float)
    found = view(1280, 720, given, np.array(box, float))
    assert np.abs(np.subtract(found, expected)).max() <= 2
    left, top, right, bottom = found
    for one in (given, np.array(box, float)):
        if one is not None and np.isfinite(one).all():
            assert left <= one[0] and one[0] + one[2] <= right
            assert top <= one[1] and one[1] + one[3] <= bottom


def test_a_detail_is_enlarged(tmp_path):
    one = result(tmp_path)
    cv2.imwrite(one.frames[0], np.zeros((720, 1280, 3), np.uint8))
    (picture, *_) = film_strip(one, 6)
    assert picture["detail"] and picture["size"] == (640, 360)
    assert picture["truth"][2] > 60  # 20 pixels of the frame


def test_an_unreadable_frame_says_so_in_its_place(tmp_path):
    one = result(tmp_path)
    one.frames[0] = str(tmp_path / "none.png")
    first = film_strip(one, 4)[0]
    assert first["uri"] == ""
    assert "none.png" in first["error"]


def test_no_frames_no_strip(tmp_path):
    one = result(tmp_path)
    bare = SequenceResult(one.name, one.truth, one.valid, one.boxes, one.overlap, ())
    assert film_strip(bare, 4) == []


def test_timeline_keeps_every_loss():
    n = 5000
    overlap = np.full((1, n), 0.9)
    overlap[0, 3333] = 0
    truth = np.ones((n, 4))
    one = SequenceResult("s", truth, np.ones(n, bool), truth[None], overlap, ())
    line = timeline(one, ["t"])
    assert len(line["x"]) <= 400
    assert min(line["series"]["t"]) == 0
    assert line["lost"] == [(3333, 3333)]
    assert line["absent"] == []


def test_ground_truth_is_white_and_predictions_have_their_colour():
    image = np.full((100, 100, 3), 90, np.uint8)
    draw_boxes(image, [10, 10, 20, 20], [("#0072b2", [50, 50, 30, 30])], thickness=1)
    assert image[10, 20].tolist() == [255, 255, 255]
    assert image[50, 60].tolist() == [0x00, 0x72, 0xB2]
    assert image[70, 30].tolist() == [90, 90, 90]


@pytest.mark.parametrize("box", [[np.nan] * 4, [5, 5, 0, 9], [1e9, 1e9, 5, 5], [-1e9, 0, 5, 5]])
def test_boxes_that_cannot_be_seen(box):
    image = np.full((50, 50, 3), 90, np.uint8)
    draw_boxes(image, box, [("#000000", box)])
    assert (image == 90).all()


def test_rgb():
    assert rgb("#ff8001") == (255, 128, 1)
