"""Faces of the live loop: OpenCV window and Visdom page; boxes are drawn there, keys steer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import Box
from .controls import Controls, View
from .draw import WHITE, draw_box, text_unit
from .visdom_panels import Visdom
from .visdom_render import TRACKING_WIDTH

# Press and release closer than this (pixels of the window) is a click, farther apart a drag.
CLICK_DISTANCE = 4
SMALLEST_BOX = 3.0
# The window is never larger than this; a frame that is, is shown smaller.
LARGEST = (1600, 900)
# cv2.waitKeyEx codes of the right arrow: X11 (Qt, GTK), Windows, macOS.
RIGHT_ARROWS = (0xFF53, 0x270000, 0xF703)
ESCAPE = 27
HELP = "drag or two clicks: box   space: pause   right: step   r: reset   Esc: cancel   q: quit"


class BoxPicker:
    """Turns mouse events into a box: drag, or click two corners; Esc cancels."""

    def __init__(self) -> None:
        self.start: tuple[float, float] | None = None
        self.here: tuple[float, float] = (0.0, 0.0)
        self._pressed = False

    def press(self, x: float, y: float) -> Box | None:
        """Button down at x, y; the box if this is its second corner."""
        if self.start is not None:
            self.here = (x, y)
            return self._finish()
        self.start, self.here, self._pressed = (x, y), (x, y), True
        return None

    def move(self, x: float, y: float) -> None:
        """The mouse is at x, y."""
        self.here = (x, y)

    def release(self, x: float, y: float) -> Box | None:
        """Button up; the box if it was a drag, None if it was the first of two clicks."""
        self.here = (x, y)
        if self.start is None or not self._pressed:
            return None
        self._pressed = False
        dragged = max(abs(x - self.start[0]), abs(y - self.start[1])) >= CLICK_DISTANCE
        return self._finish() if dragged else None

    def cancel(self) -> None:
        """Forget the corner."""
        self.start, self._pressed = None, False

    @property
    def box(self) -> Box | None:
        """The box as drawn so far, or None; x, y, w, h in pixels of the window."""
        if self.start is None:
            return None
        (x0, y0), (x1, y1) = self.start, self.here
        return np.array([min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)], np.float64)

    def _finish(self) -> Box | None:
        box = self.box
        self.cancel()
        if box is None or min(box[2], box[3]) < SMALLEST_BOX:
            return None
        return box


class Window:
    """Shows views and feeds `controls`; use as a context manager.

    Coordinates given to the controls are pixels of the frame, whatever size the window has.
    """

    def __init__(self, controls: Controls, title: str = "E.T.Track") -> None:
        self.controls, self.title = controls, title
        self.picker = BoxPicker()
        self.scale = 1.0
        self._picture: NDArray[np.uint8] | None = None

    def __enter__(self) -> Window:
        # WINDOW_GUI_NORMAL: Qt's extended window would take the right button and ctrl keys.
        cv2.namedWindow(self.title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        cv2.setMouseCallback(self.title, self._on_mouse)
        return self

    def __exit__(self, *exception: object) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # lets the window system take the window away

    def show(self, view: View) -> None:
        """Show a frame."""
        height, width = view.picture.shape[:2]
        self.scale = min(1.0, LARGEST[0] / width, LARGEST[1] / height)
        picture = view.picture
        if self.scale < 1.0:
            size = (round(width * self.scale), round(height * self.scale))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
        cv2.imshow(self.title, self._with_picker())

    def poll(self, seconds: float) -> None:
        """Handle mouse and keys for `seconds` (at least one round)."""
        if self.picker.start is not None and self._picture is not None:
            cv2.imshow(self.title, self._with_picker())
        code = cv2.waitKeyEx(max(1, round(seconds * 1000)))
        if code != -1:
            self._on_key(code)
        if self._picture is not None and self._closed():
            self.controls.quit()

    def _closed(self) -> bool:
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True  # Qt forgets itself with the last window

    def _with_picker(self) -> NDArray[np.uint8]:
        assert self._picture is not None
        box = self.picker.box
        if box is None:
            return self._picture
        picture = self._picture.copy()
        draw_box(picture, box, WHITE, text_unit(picture.shape), broken=True)
        return picture

    def _on_mouse(self, event: int, x: int, y: int, flags: int, data: object) -> None:
        if event == cv2.EVENT_MOUSEMOVE:
            self.picker.move(x, y)
            return
        if event == cv2.EVENT_LBUTTONDOWN:
            box = self.picker.press(x, y)
        elif event == cv2.EVENT_LBUTTONUP:
            box = self.picker.release(x, y)
        else:
            return
        if box is not None:
            self.controls.add_box(box / self.scale)
        self.controls.freeze(self.picker.start is not None)

    def _on_key(self, code: int) -> None:
        # The low 16 bits hold the key; Qt and X11 put shift and lock states above.
        if code in RIGHT_ARROWS or code & 0xFFFF == RIGHT_ARROWS[0]:
            self.controls.step()
            return
        # X11 numbers its function keys 0xFF00 and up: the low byte of Left is a Q.
        if code & 0xFF00 == 0xFF00 and code & 0xFF != ESCAPE:
            return
        key = code & 0xFF
        if key == ESCAPE:
            self.picker.cancel()
            self.controls.freeze(False)
        elif key == ord(" "):
            self.controls.toggle_pause()
        elif key in (ord("r"), ord("R")):
            self.controls.release()
        elif key in (ord("q"), ord("Q")):
            self.controls.quit()


def why_no_window() -> str | None:
    """None if a window can be opened here, otherwise the reason in a few words.

    The try happens in another process: without a reachable display Qt does not raise but aborts.
    """
    build = cv2.getBuildInformation()
    gui = next((line for line in build.splitlines() if line.strip().startswith("GUI:")), "")
    if "NONE" in gui:
        return "this OpenCV is the headless build (opencv-python has windows)"
    if sys.platform.startswith("linux"):
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            return "no display (DISPLAY is not set)"
        attempt = "import cv2; cv2.namedWindow('test'); cv2.waitKey(1); cv2.destroyAllWindows()"
        command = [sys.executable, "-c", attempt]
        try:
            done = subprocess.run(command, capture_output=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return f"the display {os.environ.get('DISPLAY')!r} does not answer"
        if done.returncode:
            return f"the display {os.environ.get('DISPLAY')!r} cannot be opened"
    return None


TRACKING = "Tracking"
HELP_TEXT = (
    "<b>Keys</b> (click the Tracking panel first)<br>space: pause or go on<br>right arrow: next "
    "frame, and pause<br>r: forget all targets<br>q: stop and save<br>two clicks in the Tracking "
    "panel: corners of a new box<br>Esc: forget the first corner<br><br>Block List: what is shown; "
    "panels of a higher <nobr>--debug</nobr> level can be switched on there."
)


class VisdomDisplay:
    """Shows views in pytracking's panels; keys and clicks in "Tracking" steer `controls`.

    Panels and their levels: Help 1, Tracking 1, Status 1, Score Map 2, Search Region 2,
    Max Score 3.
    """

    def __init__(self, controls: Controls, debug: int, visdom_info: dict[str, Any]) -> None:
        self.controls = controls
        self.picker = BoxPicker()
        self.scale = 1.0
        ui_info = {"handler": self.on_event, "win_id": TRACKING}
        self.visdom = Visdom(debug, ui_info, visdom_info)
        self.visdom.register(HELP_TEXT, "text", 1, "Help")

    def __enter__(self) -> VisdomDisplay:
        return self

    def __exit__(self, *exception: object) -> None:
        self.visdom.close()

    def show(self, view: View) -> None:
        """Send a frame."""
        self.scale = min(1.0, TRACKING_WIDTH / view.picture.shape[1])
        self.visdom.register((view.picture,), "Tracking", 1, TRACKING)
        best = max((mark.score for mark in view.marks), default=0.0)
        status = {
            "Frame": view.index,
            "FPS": f"{view.fps:.1f}",
            "Latency": f"{view.latency * 1000:.0f} ms",
            "Targets": len(view.marks),
            "Max Score": f"{best:.3f}",
            "State": self._state(),
        }
        self.visdom.register(status, "info_dict", 1, "Status")
        if view.score_map is not None:
            self.visdom.register(view.score_map, "heatmap", 2, "Score Map")
        if view.search_crop is not None:
            self.visdom.register(view.search_crop, "image", 2, "Search Region")
        if view.marks:
            self.visdom.register((best, view.index), "lineplot", 3, "Max Score")

    def _state(self) -> str:
        if self.controls.drawing:
            return "drawing"
        return "paused" if self.controls.paused else "running"

    def poll(self, seconds: float) -> None:
        """Events come by themselves, in threads of the client; only the time is spent."""
        if seconds > 0:
            self.controls.wait(seconds)

    def on_event(self, event: dict[str, Any]) -> None:
        """Key or click in the Tracking panel."""
        kind = event.get("event_type")
        if kind == "KeyPress":
            self._on_key(str(event.get("key", "")))
        elif kind == "Click" and isinstance(event.get("image_coord"), dict):
            point = event["image_coord"]
            self._on_click(float(point["x"]), float(point["y"]))

    def _on_key(self, key: str) -> None:
        actions = {
            " ": self.controls.toggle_pause,
            "ArrowRight": self.controls.step,
            "r": self.controls.release,
            "q": self.controls.quit,
        }
        if key == "Escape":
            self.picker.cancel()
            self.controls.freeze(False)
        elif key in actions:
            actions[key]()

    def _on_click(self, x: float, y: float) -> None:
        box = self.picker.press(x, y)
        if box is not None:
            self.controls.add_box(box / self.scale)
        self.controls.freeze(self.picker.start is not None)
