"""Channel order of the frames that a caller hands to the tracker.

pytracking reads data sets and VOT as RGB, but its webcam and video loops pass OpenCV's BGR frames
on without converting them, and nothing in `image` or `info` tells the two apart. So we look who
calls: wrong colours cost accuracy silently, in exactly the modes people watch.
"""

from __future__ import annotations

import sys
from types import FrameType

from ..tracking.image import Color

# pytracking's live loops, by function name (all in pytracking/evaluation/tracker.py). Our own
# harness has none of these: its live modes convert to RGB themselves.
BGR_LOOPS = frozenset({"run_video_generic", "run_video", "run_webcam"})
PACKAGE = "pytracking."
# run_video_generic -> wrapper.track -> wrapper.initialize -> tracker.initialize, and some room.
_DEPTH = 12


def frame_color() -> Color:
    """Return "bgr" under one of pytracking's live loops, else "rgb"."""
    return "bgr" if in_live_loop() else "rgb"


def in_live_loop() -> bool:
    """Whether one of pytracking's live loops calls."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            break
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name in BGR_LOOPS and module.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False
