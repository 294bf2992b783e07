"""The OpenCV window on a virtual screen, driven by a real mouse and keyboard (xdotool)."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pytracking_et.live.displays import why_no_window

from .fakes import eventually

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def screen(monkeypatch):
    """A virtual screen of 1024x768; DISPLAY is set to it."""
    for tool in ("Xvfb", "xdotool"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    reader, writer = os.pipe()
    # -noreset: it would start afresh, and turn programs away meanwhile, when the last one has left.
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1024x768x24", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as stream:
        number = stream.readline().strip()
    monkeypatch.setenv("DISPLAY", f":{number}")
    try:
        reason = why_no_window()
        if reason:
            pytest.skip(f"no window with this OpenCV: {reason}")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def xdotool(*words):
    done = subprocess.run(
        ["xdotool", *map(str, words)], capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout.strip()


def window_of(process):
    def found():
        assert process.poll() is None, process.communicate()[0]
        return xdotool("search", "--onlyvisible", "--name", "E.T.Track").split()

    return eventually(found, what="window")[-1]


@pytest.fixture
def app(screen, tmp_path):
    options = {"frames": 60, "size": (240, 320), "output": str(tmp_path / "o.avi")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.live.app", str(tmp_path), "0", json.dumps(options)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        window = window_of(process)
        xdotool("windowfocus", window)
        time.sleep(1.0)
        yield process, window
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


ZOOM = 3  # the clip of 320x240 starts in a window of 960x720


def point(window, x, y):
    xdotool("mousemove", "--window", window, round(ZOOM * x), round(ZOOM * y))
    time.sleep(0.15)


def button(*actions):
    for action in actions:
        xdotool(action, 1)
        time.sleep(0.15)


def drag(window, start, end):
    point(window, *start)
    button("mousedown")
    point(window, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    point(window, *end)
    button("mouseup")


def press(key):
    xdotool("key", key)
    time.sleep(0.4)


def end_of(process):
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    return output


TABLE = "res/et_tracker/et_tracker/video_street.csv"


def test_drag_clicks_escape_step_pause_quit(app, tmp_path):
    process, window = app
    drag(window, (10, 30), (30, 46))  # target 1, by dragging
    point(window, 5, 200)  # one click, then Esc: no target
    button("mousedown", "mouseup")
    press("Escape")
    for corner in [(12, 32), (28, 44)]:  # target 2, by two clicks
        point(window, *corner)
        button("mousedown", "mouseup")
    press("Right")
    press("Right")
    press("space")
    time.sleep(1.0)
    press("r")
    time.sleep(0.5)
    press("q")
    end_of(process)
    rows = np.loadtxt(tmp_path / TABLE, delimiter=",", skiprows=1)
    assert set(rows[:, 1]) == {1, 2}
    first = rows[rows[:, 1] == 1]
    np.testing.assert_allclose(first[0, 2:6], [10, 30, 20, 16], atol=2)
    second = rows[rows[:, 1] == 2]
    np.testing.assert_allclose(second[0, 2:6], [12, 32, 16, 12], atol=2)
    # Paused until the arrows: both targets start on frame 0, then frame by frame.
    assert first[0, 0] == second[0, 0] == 0
    np.testing.assert_array_equal(first[:, 0], np.arange(len(first)))
    np.testing.assert_allclose(first[1:, 2], 10 + 2 * first[1:, 0], atol=2)
    assert 8 < len(first) < 60  # space went on, r ended both targets before the clip ended
    assert (tmp_path / "o.avi").stat().st_size > 1000


def size_of(window):
    words = xdotool("getwindowgeometry", "--shell", window)
    return [int(re.search(rf"{name}=(\d+)", words)[1]) for name in ("WIDTH", "HEIGHT")]


def test_resize_go_back_correct_undo(app, tmp_path):
    """The corrected target has its new box from where it was drawn on."""
    process, window = app
    assert size_of(window) == [960, 720]
    drag(window, (10, 30), (30, 46))  # target 1
    for _ in range(6):
        press("Right")
    xdotool("windowsize", window, 640, 480)
    time.sleep(1.0)
    for _ in range(4):
        press("Left")
    press("1")
    drag(window, (60 / 1.5, 120 / 1.5), (90 / 1.5, 150 / 1.5))  # half of 3: 640 pixels for 320
    press("u")
    press("1")
    drag(window, (14 / 1.5, 30 / 1.5), (30 / 1.5, 46 / 1.5))
    for _ in range(3):
        press("Right")
    press("q")
    end_of(process)
    rows = np.loadtxt(tmp_path / TABLE, delimiter=",", skiprows=1)
    assert set(rows[:, 1]) == {1}
    np.testing.assert_array_equal(rows[:, 0], np.arange(7))  # frames 0 to 6, each once
    np.testing.assert_allclose(rows[2, 2:6], [14, 30, 16, 16], atol=1.5)
    np.testing.assert_allclose(rows[3, 2:6], [16, 30, 20, 16], atol=2)


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent, padded to the size of its union XEvent."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    ]


def close_politely(window):
    """What the close button of a title bar sends; there is no window manager here to do it."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    event = ClientMessage(type=33, window=window, format=32)
    event.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    event.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x11.XCloseDisplay(display)


def test_closing_the_window_ends_the_run(app):
    process, window = app
    close_politely(int(window))
    assert re.search(r"\d frames? in", end_of(process))
