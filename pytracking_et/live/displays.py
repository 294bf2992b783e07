"""Faces of the live loop: OpenCV window and Visdom page; boxes are drawn there, keys steer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cv2
import numpy as np

from ..boxes import Box
from .controls import Controls, Edit, View
from .draw import WHITE, colour, draw_box, label, text_unit
from .visdom_panels import Visdom
from .visdom_render import TRACKING_WIDTH

# Press and release closer than this (pixels of the window) is a click, farther apart a drag.
CLICK_DISTANCE = 4
SMALLEST_BOX = 3.0
SMALLEST_WINDOW = 32  # pixels; what is smaller is no size but a window that is not there yet
# The window starts no larger than this, its longer side no smaller than START; it can be resized.
LARGEST = (1600, 900)
START = 960
# cv2.waitKeyEx codes of the arrows: X11 (Qt, GTK), Windows, macOS.
RIGHT_ARROWS = (0xFF53, 0x270000, 0xF703)
LEFT_ARROWS = (0xFF51, 0x250000, 0xF702)
ESCAPE = 27
HELP = (
    "drag or two clicks: box   1..9, then a box: correct that target   u: undo   space: pause   "
    "right, left: a frame on or back   r: reset   Esc: cancel   q: quit"
)


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


class Steering:
    """Keys that window and Visdom share, and the boxes drawn there."""

    how = "draw a box: drag, or click two corners"

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        self.picker = BoxPicker()
        self.chosen: int | None = None  # target that the next box corrects
        self.known: set[int] = set()
        self.scale = 1.0  # pixels of what is shown for one of the frame

    def key(self, name: str) -> None:
        """A key by its name: a letter, "Escape", "ArrowLeft" or "ArrowRight"."""
        actions: dict[str, Callable[[], None]] = {
            " ": lambda: self.controls.pause(not self.controls.paused),
            "arrowright": self.controls.step,
            "arrowleft": lambda: self.controls.step(-1),
            "u": lambda: self.controls.ask(Edit("undo")),
            "r": lambda: self.controls.ask(Edit("release")),
            "q": self.controls.quit,
            "escape": self._forget,
        }
        if name.isdecimal() and int(name) in self.known:
            self.chosen = int(name)
        elif action := actions.get(name.lower()):
            action()

    def _forget(self) -> None:
        self.picker.cancel()
        self.chosen = None
        self.controls.draw(False)

    def drawn(self, box: Box | None) -> None:
        """A box in pixels of what is shown; None: a corner, or nothing."""
        if box is not None:
            self.controls.ask(Edit("box", box / self.scale, self.chosen))
            self.chosen = None
        self.controls.draw(self.picker.start is not None)


class Window(Steering):
    """Shows views and feeds `controls`; use as a context manager.

    Coordinates given to the controls are pixels of the frame, whatever size the window has.
    """

    def __init__(self, controls: Controls, title: str = "E.T.Track") -> None:
        super().__init__(controls)
        self.title = title
        self._view: View | None = None
        self._size = LARGEST

    def __enter__(self) -> Window:
        # WINDOW_GUI_NORMAL: Qt's extended window would take the right button and ctrl keys.
        cv2.namedWindow(
            self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
        )
        cv2.setMouseCallback(self.title, self._on_mouse)
        return self

    def __exit__(self, *exception: object) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # lets the window system take the window away

    def show(self, view: View) -> None:
        """Show a frame, as large as the window; a new window gets a size that fits it."""
        height, width = view.picture.shape[:2]
        self.known = {mark.id for mark in view.marks}
        if self._view is None:
            scale = min(LARGEST[0] / width, LARGEST[1] / height)
            scale = min(scale, max(1.0, START / max(width, height)))
            self._size = (round(width * scale), round(height * scale))
            with suppress(cv2.error):  # not opened: a test
                cv2.resizeWindow(self.title, *self._size)
        self._view = view
        self._draw()

    def _draw(self) -> None:
        assert self._view is not None
        picture = self._view.picture
        height, width = picture.shape[:2]
        across, down = self._size
        self.scale = min(across / width, down / height)
        size = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
        how = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        # All of the window, so that the mouse's places are those of this picture everywhere.
        canvas = np.zeros((max(down, size[1]), max(across, size[0]), 3), np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=how)
        unit = text_unit(canvas.shape)
        if (box := self.picker.box) is not None:
            draw_box(canvas, box, WHITE, unit, broken=True)
        if self.chosen is not None:
            text = f"the next box corrects target {self.chosen}; Esc: a new target"
            label(canvas, text, (round(6 * unit), round(34 * unit)), colour(self.chosen), unit)
        cv2.imshow(self.title, cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))

    def _resized(self) -> bool:
        """Whether the user has given the window another size."""
        try:
            size = cv2.getWindowImageRect(self.title)[2:]
        except cv2.error:
            return False
        if min(size) < SMALLEST_WINDOW or tuple(size) == self._size:
            return False
        self._size = (size[0], size[1])
        return True

    def poll(self, seconds: float) -> None:
        """Handle mouse and keys for `seconds` (at least one round)."""
        busy = self.picker.start is not None or self.chosen is not None
        if self._view is not None and (self._resized() or busy):
            self._draw()
        code = cv2.waitKeyEx(max(1, round(seconds * 1000)))
        if code != -1:
            self._on_key(code)
        if self._view is not None and self._closed():
            self.controls.quit()

    def _closed(self) -> bool:
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True  # Qt forgets itself with the last window

    def _on_mouse(self, event: int, x: int, y: int, flags: int, data: object) -> None:
        if event == cv2.EVENT_MOUSEMOVE:
            self.picker.move(x, y)
        elif event == cv2.EVENT_LBUTTONDOWN:
            self.drawn(self.picker.press(x, y))
        elif event == cv2.EVENT_LBUTTONUP:
            self.drawn(self.picker.release(x, y))

    def _on_key(self, code: int) -> None:
        # The low 16 bits hold the key; Qt and X11 put shift and lock states above.
        for arrows, name in ((RIGHT_ARROWS, "ArrowRight"), (LEFT_ARROWS, "ArrowLeft")):
            if code in arrows or code & 0xFFFF == arrows[0]:
                self.key(name)
                return
        # X11 numbers its function keys 0xFF00 and up: the low byte of Left is a Q.
        if code & 0xFF00 == 0xFF00 and code & 0xFF != ESCAPE:
            return
        key = code & 0xFF
        self.key("Escape" if key == ESCAPE else chr(key))


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
    "<b>Boxes</b>: click the Tracking panel once, then on two opposite corners (dragging moves "
    "the picture in its panel)<br>1 to 9, then two corners: correct that target<br>Esc: forget "
    "the first corner<br>u: undo<br><br><b>Keys</b>: space: pause or go on<br>right, left arrow: "
    "a frame on or back, and pause<br>r: forget all targets<br>q: stop and save<br><br>Block "
    "List: what is shown; panels of a higher <nobr>--debug</nobr> level can be switched on there."
)


class VisdomDisplay(Steering):
    """Shows views in pytracking's panels; keys and clicks in "Tracking" steer `controls`.

    Panels and their levels: Help 1, Tracking 1, Status 1, Score Map 2, Search Region 2,
    Max Score 3.
    """

    how = "to draw a box: click here once, then on two corners"

    def __init__(self, controls: Controls, debug: int, visdom_info: dict[str, Any]) -> None:
        super().__init__(controls)
        self._helped = False
        ui_info = {"handler": self.on_event, "win_id": TRACKING}
        self.visdom = Visdom(debug, ui_info, visdom_info)

    def __enter__(self) -> VisdomDisplay:
        return self

    def __exit__(self, *exception: object) -> None:
        self.visdom.close()

    def show(self, view: View) -> None:
        """Send a frame."""
        self.known = {mark.id for mark in view.marks}
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
        if not self._helped:  # last: panels stand in the order in which they come
            self.visdom.register(HELP_TEXT, "text", 1, "Help")
            self._helped = True

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
            self.key(str(event.get("key", "")))
        elif kind == "Click" and isinstance(event.get("image_coord"), dict):
            point = event["image_coord"]
            self.drawn(self.picker.press(float(point["x"]), float(point["y"])))
