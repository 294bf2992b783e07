from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from pytracking_et.live import displays as module
from pytracking_et.live.controls import Controls, View
from pytracking_et.live.displays import BoxPicker, VisdomDisplay, Window, why_no_window
from pytracking_et.live.draw import Mark


def test_a_drag_makes_a_box_in_any_direction():
    for start, end in [((10, 20), (60, 90)), ((60, 90), (10, 20)), ((60, 20), (10, 90))]:
        picker = BoxPicker()
        assert picker.press(*start) is None
        picker.move(30, 30)
        np.testing.assert_array_equal(picker.release(*end), [10, 20, 50, 70])
        assert picker.start is None


def test_two_clicks_make_a_box():
    picker = BoxPicker()
    picker.press(10, 20)
    assert picker.release(11, 21) is None  # a hand shakes
    picker.move(40, 50)
    np.testing.assert_array_equal(picker.box, [10, 20, 30, 30])
    np.testing.assert_array_equal(picker.press(60, 90), [10, 20, 50, 70])
    assert picker.release(60, 90) is None


@pytest.mark.parametrize("end", [(10, 20), (12, 90), (60, 21), None])
def test_a_box_without_area_and_a_cancelled_one_are_none(end):
    picker = BoxPicker()
    picker.press(10, 20)
    picker.release(10, 20)
    if end is None:
        picker.cancel()
    else:
        assert picker.press(*end) is None
    assert picker.box is None
    assert picker.press(60, 90) is None  # a first corner again


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ord(" "), "paused"),
        (ord("q"), "ended"),
        (ord("Q"), "ended"),
        (ord(" ") | 0x100000, "paused"),  # X11 puts num lock above
    ],
)
def test_keys(code, expected):
    controls = Controls()
    Window(controls)._on_key(code)
    assert getattr(controls, expected)


@pytest.mark.parametrize(
    "code",
    # X11's Up, Down, Insert, F1 and shift; Windows' Up; macOS' Up.
    [0xFF52, 0x10FF52, 0xFF54, 0xFF63, 0xFFBE, 0xFFE1, 0x260000, 0xF700],
)
def test_other_function_keys_do_nothing(code):
    controls = Controls()
    window = Window(controls)
    before = vars(controls).copy()
    window._on_key(code)
    assert vars(controls) == before


RIGHT, LEFT = [0xFF53, 0x10FF53, 0x270000, 0xF703], [0xFF51, 0x10FF51, 0x250000, 0xF702]


@pytest.mark.parametrize(
    ("code", "goal", "on"),
    [*((code, None, True) for code in RIGHT), *((code, 6, False) for code in LEFT)],
)
def test_arrows_of_every_system_step(code, goal, on):
    controls = Controls(paused=True)
    Window(controls)._on_key(code)
    assert (controls.take_goal(7), controls.may_advance()) == (goal, on)
    assert not controls.may_advance()


@pytest.fixture
def shown(monkeypatch):
    """Pictures that a window was given."""
    pictures = []
    monkeypatch.setattr(module.cv2, "imshow", lambda title, picture: pictures.append(picture))
    return pictures


def test_a_digit_chooses_the_target_that_the_next_box_corrects(shown):
    controls = Controls()
    window = Window(controls)
    window.show(View(0, np.zeros((240, 320, 3), np.uint8), [Mark(2, np.ones(4), 1.0)]))
    for key, chosen in (("1", None), ("2", 2), ("\x1b", None), ("2", 2)):
        window._on_key(ord(key))
        assert window.chosen == chosen
    for _ in range(2):
        window.drawn(np.array([3.0, 3, 30, 30]))
    window._on_key(ord("u"))
    kinds = [(edit.kind, edit.target) for edit in controls.take_edits()]
    assert kinds == [("box", 2), ("box", None), ("undo", None)]


def test_a_small_video_starts_in_a_window_of_a_useful_size(shown):
    window = Window(Controls())
    window.show(View(0, np.full((288, 352, 3), 9, np.uint8), []))
    assert max(shown[0].shape) == 960 and window.scale == pytest.approx(960 / 352, rel=0.01)


def boxes(controls):
    return [edit.box for edit in controls.take_edits()]


def test_mouse_coordinates_are_of_the_frame_not_the_window(shown):
    controls = Controls()
    window = Window(controls)
    big = np.zeros((1800, 3200, 3), np.uint8)
    big[..., 0] = 200  # red in RGB
    window.show(View(0, big, []))
    assert shown[0].shape == (900, 1600, 3)
    assert shown[0][5, 5].tolist() == [0, 0, 200]  # BGR, as imshow wants it
    for event, x, y in [
        (cv2.EVENT_LBUTTONDOWN, 100, 50),
        (cv2.EVENT_MOUSEMOVE, 200, 90),
        (cv2.EVENT_LBUTTONUP, 300, 150),
    ]:
        window._on_mouse(event, x, y, 0, None)
    np.testing.assert_array_equal(boxes(controls), [[200, 100, 400, 200]])


@pytest.mark.parametrize(
    ("gui", "display", "reason"),
    [("NONE", ":0", "headless build"), ("QT5", None, "DISPLAY is not set")],
)
def test_reason_for_no_window(monkeypatch, gui, display, reason):
    if display is None and not sys.platform.startswith("linux"):
        pytest.skip("displays are named by variables on Linux only")
    monkeypatch.setattr(module.cv2, "getBuildInformation", lambda: f"  GUI:  {gui}\n")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    assert reason in why_no_window()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of X11")
def test_a_dead_display_is_a_reason_and_no_crash(monkeypatch):
    monkeypatch.setattr(module.cv2, "getBuildInformation", lambda: "  GUI:  QT5\n")
    monkeypatch.setenv("DISPLAY", ":987")
    assert "':987' cannot be opened" in why_no_window()


@pytest.fixture
def panels():
    """(data, mode, level) by title."""
    return {}


@pytest.fixture
def display(panels):
    found = VisdomDisplay(Controls(), 0, {"use_visdom": False})
    found.visdom.register = lambda *words: panels.update({words[-1]: words[:-1]})
    return found


def view(width=960):
    image = np.full((240, width, 3), 90, np.uint8)
    marks = [Mark(1, np.array([1.0, 2, 3, 4]), 0.25), Mark(2, np.array([1.0, 2, 3, 4]), 0.75)]
    score_map, crop = np.eye(18, dtype=np.float32), np.zeros((256, 256, 3), np.uint8)
    return View(7, image, marks, 30.0, 0.012, score_map, crop)


def test_panels_and_levels_of_pytracking(display, panels):
    display.show(view())
    levels = {title: (mode, level) for title, (_, mode, level) in panels.items()}
    assert levels == {
        "Tracking": ("Tracking", 1),
        "Status": ("info_dict", 1),
        "Score Map": ("heatmap", 2),
        "Search Region": ("image", 2),
        "Max Score": ("lineplot", 3),
        "Help": ("text", 1),
    }
    assert list(levels)[:2] == ["Tracking", "Status"]
    status = panels["Status"][0]
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
    np.testing.assert_allclose(boxes(display.controls), np.array([[100, 50, 50, 40]]) * scale)


def press(display, key):
    display.on_event({"event_type": "KeyPress", "key": key})


def test_keys_of_the_page(display):
    controls = display.controls
    for paused in (True, False):
        press(display, " ")
        assert controls.paused == paused
    for _ in range(2):
        press(display, "ArrowRight")
    assert controls.may_advance() and not controls.may_advance()
    press(display, "r")
    assert [edit.kind for edit in controls.take_edits()] == ["release"]
    click(display, 5, 5)
    press(display, "Escape")
    assert not controls.drawing
    for name, ended in (("x", False), ("q", True)):
        press(display, name)
        assert controls.ended == ended


def test_events_of_other_kinds_are_let_be(display):
    for event in ({}, {"event_type": "Close"}, {"event_type": "Click"}, {"event_type": "KeyPress"}):
        display.on_event(event)
    display.poll(0)
    assert not display.controls.ended and not display.controls.drawing
