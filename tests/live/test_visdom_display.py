import numpy as np
import pytest

from pytracking_et.live.controls import Controls, View
from pytracking_et.live.draw import Mark
from pytracking_et.live.visdom_display import VisdomDisplay


class Recorder:
    def __init__(self):
        self.calls = {}

    def register(self, data, mode, level, title):
        self.calls[title] = (data, mode, level)


@pytest.fixture
def display():
    found = VisdomDisplay(Controls(), 0, {"use_visdom": False})
    found.visdom = Recorder()
    return found


def view(width=960):
    image = np.full((240, width, 3), 90, np.uint8)
    marks = [Mark(1, np.array([1.0, 2, 3, 4]), 0.25), Mark(2, np.array([1.0, 2, 3, 4]), 0.75)]
    score_map, crop = np.eye(18, dtype=np.float32), np.zeros((256, 256, 3), np.uint8)
    return View(7, image, image, marks, 30.0, 0.012, score_map, crop)


def test_panels_and_levels_of_pytracking(display):
    display.show(view())
    levels = {title: (mode, level) for title, (_, mode, level) in display.visdom.calls.items()}
    assert levels == {
        "Tracking": ("Tracking", 1),
        "Status": ("info_dict", 1),
        "Score Map": ("heatmap", 2),
        "Search Region": ("image", 2),
        "Max Score": ("lineplot", 3),
    }
    status = display.visdom.calls["Status"][0]
    assert status["Frame"] == 7 and status["Latency"] == "12 ms" and status["Max Score"] == "0.750"


def click(display, x, y):
    display.on_event({"event_type": "Click", "image_coord": {"x": x, "y": y}})


@pytest.mark.parametrize(("width", "scale"), [(960, 2.0), (480, 1.0), (320, 1.0)])
def test_two_clicks_are_a_box_in_pixels_of_the_frame(display, width, scale):
    display.show(view(width))
    click(display, 100, 50)
    assert display.controls.drawing
    click(display, 150, 90)
    assert not display.controls.drawing
    np.testing.assert_allclose(display.controls.take_boxes(), np.array([[100, 50, 50, 40]]) * scale)


def press(display, key):
    display.on_event({"event_type": "KeyPress", "key": key})


def test_keys(display):
    press(display, " ")
    assert display.controls.paused
    press(display, " ")
    assert not display.controls.paused
    press(display, "ArrowRight")
    press(display, "ArrowRight")
    assert display.controls.may_advance() and not display.controls.may_advance()
    press(display, "r")
    assert display.controls.take_reset()
    click(display, 5, 5)
    press(display, "Escape")
    assert not display.controls.drawing
    press(display, "x")
    assert not display.controls.ended
    press(display, "q")
    assert display.controls.ended


def test_events_of_other_kinds_are_let_be(display):
    for event in ({}, {"event_type": "Close"}, {"event_type": "Click"}, {"event_type": "KeyPress"}):
        display.on_event(event)
    display.poll(0)
    assert not display.controls.ended and not display.controls.drawing
