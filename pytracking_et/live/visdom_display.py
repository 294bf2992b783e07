"""The live loop's view and controls on a Visdom page."""

from __future__ import annotations

import threading
import time
from typing import Any

from .controls import Controls, View
from .visdom_panels import Visdom
from .visdom_render import TRACKING_WIDTH
from .window import BoxPicker

TRACKING = "Tracking"
# Repeats of one key or click arrive within this; nobody presses a key twice as fast.
ECHO_SECONDS = 0.1


class VisdomDisplay:
    """Shows views in pytracking's panels; keys and clicks in "Tracking" steer `controls`.

    Panels and their levels: Help 1, Tracking 1, Status 1, Score Map 2, Search Region 2,
    Max Score 3.
    """

    def __init__(self, controls: Controls, debug: int, visdom_info: dict[str, Any]) -> None:
        self.controls = controls
        self.picker = BoxPicker()
        self.scale = 1.0
        self._lock = threading.Lock()
        self._click: tuple[float, float, float] | None = None
        self._last_key = ("", 0.0)
        ui_info = {"handler": self.on_event, "win_id": TRACKING}
        self.visdom = Visdom(debug, ui_info, visdom_info)

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
        """Carry out a click that is complete; spend the time."""
        with self._lock:
            click = self._click
            if click is not None and time.monotonic() - click[0] > ECHO_SECONDS:
                self._click = None
            else:
                click = None
        if click is not None:
            self._on_click(click[1], click[2])
        if seconds > 0:
            self.controls.wait(seconds)

    def on_event(self, event: dict[str, Any]) -> None:
        """Key or click in the Tracking panel, as Visdom's page sends it.

        Visdom 0.2.4 sends each once for every image panel on the page, whichever has the focus;
        of clicks only the last has the place (it is the panel the mouse moved over last).
        """
        kind = event.get("event_type")
        now = time.monotonic()
        if kind == "KeyPress":
            key = str(event.get("key", ""))
            if key == self._last_key[0] and now - self._last_key[1] < ECHO_SECONDS:
                return
            self._last_key = (key, now)
            self._on_key(key)
        elif kind == "Click" and isinstance(event.get("image_coord"), dict):
            point = event["image_coord"]
            with self._lock:
                self._click = (now, float(point["x"]), float(point["y"]))

    def _on_key(self, key: str) -> None:
        actions = {
            " ": self.controls.toggle_pause,
            "ArrowRight": self.controls.step,
            "r": self.controls.reset,
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
