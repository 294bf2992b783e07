"""The live loop's view and controls on a Visdom page."""

from __future__ import annotations

from typing import Any

from .controls import Controls, View
from .visdom_panels import Visdom
from .visdom_render import TRACKING_WIDTH
from .window import BoxPicker

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
