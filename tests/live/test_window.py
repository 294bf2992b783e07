import sys

import cv2
import numpy as np
import pytest

from pytracking_et.live import window as module
from pytracking_et.live.controls import Controls, View
from pytracking_et.live.window import BoxPicker, Window, why_no_window


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


@pytest.mark.parametrize("end", [(10, 20), (12, 90), (60, 21)])
def test_a_box_without_area_is_none(end):
    picker = BoxPicker()
    picker.press(10, 20)
    picker.release(10, 20)
    assert picker.press(*end) is None
    assert picker.start is None


def test_cancel():
    picker = BoxPicker()
    picker.press(10, 20)
    picker.release(10, 20)
    picker.cancel()
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
    # X11's Left, Up, Down, Insert, F1 and shift; Windows' Left and Up; macOS' Left.
    [0xFF51, 0x10FF51, 0xFF52, 0xFF54, 0xFF63, 0xFFBE, 0xFFE1, 0x250000, 0x260000, 0xF702],
)
def test_other_function_keys_do_nothing(code):
    controls = Controls()
    window = Window(controls)
    before = vars(controls).copy()
    window._on_key(code)
    assert vars(controls) == before


@pytest.mark.parametrize("code", [0xFF53, 0x10FF53, 0x270000, 0xF703])
def test_right_arrow_of_every_system_steps(code):
    controls = Controls(paused=True)
    Window(controls)._on_key(code)
    assert controls.may_advance() and not controls.may_advance()


def test_mouse_coordinates_are_of_the_frame_not_the_window(monkeypatch):
    shown = []
    monkeypatch.setattr(module.cv2, "imshow", lambda title, picture: shown.append(picture))
    controls = Controls()
    window = Window(controls)
    big = np.zeros((1800, 3200, 3), np.uint8)
    big[..., 0] = 200  # red in RGB
    window.show(View(0, big, big, []))
    assert shown[0].shape == (900, 1600, 3)
    assert shown[0][5, 5].tolist() == [0, 0, 200]  # BGR, as imshow wants it
    for event, x, y in [
        (cv2.EVENT_LBUTTONDOWN, 100, 50),
        (cv2.EVENT_MOUSEMOVE, 200, 90),
        (cv2.EVENT_LBUTTONUP, 300, 150),
    ]:
        window._on_mouse(event, x, y, 0, None)
    np.testing.assert_array_equal(controls.take_boxes(), [[200, 100, 400, 200]])


def test_escape_gives_the_picture_free():
    controls = Controls()
    window = Window(controls)
    window._on_mouse(cv2.EVENT_LBUTTONDOWN, 5, 5, 0, None)
    assert not controls.may_advance()
    window._on_key(27)
    assert controls.may_advance() and window.picker.start is None


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
