"""Boxes over frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pytracking_et.analysis.overlay import bgr, draw_boxes, read_frame
from pytracking_et.errors import ImageError


def test_ground_truth_is_white_and_predictions_have_their_colour():
    image = np.full((100, 100, 3), 90, np.uint8)
    draw_boxes(image, [10, 10, 20, 20], {"#0072b2": [50, 50, 30, 30]}, thickness=1)
    assert image[10, 20].tolist() == [255, 255, 255]
    assert image[50, 60].tolist() == [0xB2, 0x72, 0x00]
    assert image[70, 30].tolist() == [90, 90, 90]


@pytest.mark.parametrize("box", [[np.nan] * 4, [5, 5, 0, 9], [1e9, 1e9, 5, 5], [-1e9, 0, 5, 5]])
def test_boxes_that_cannot_be_seen(box):
    image = np.full((50, 50, 3), 90, np.uint8)
    draw_boxes(image, box, {"#000000": box})
    assert (image == 90).all()


def test_bgr():
    assert bgr("#ff8001") == (1, 128, 255)


@pytest.mark.parametrize("content", [None, b"", b"text"])
def test_unreadable_frames_are_named(tmp_path, content):
    path = tmp_path / "0001.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match="0001.jpg"):
        read_frame(path)


def test_names_that_are_not_ascii(tmp_path):
    done, data = cv2.imencode(".png", np.zeros((4, 5, 3), np.uint8))
    assert done
    (tmp_path / "каdр 1.png").write_bytes(data.tobytes())
    assert read_frame(tmp_path / "каdр 1.png").shape == (4, 5, 3)
