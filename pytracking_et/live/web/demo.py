"""The built-in clip, rendered once per server when somebody asks for it."""

from __future__ import annotations

import threading
from pathlib import Path

from ..clip import FPS, render
from ..writer import VideoWriter

FRAMES = 150


class DemoClip:
    """Writes the clip of `live.clip` into `folder`, once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "demo.mp4"
        self._lock = threading.Lock()
        self._box: tuple[float, ...] = ()

    def get(self) -> tuple[Path, tuple[float, ...]]:
        """(file, box x, y, w, h of the target in its first frame)."""
        with self._lock:
            if not self._box:
                with VideoWriter(self._path, FPS) as writer:
                    frames = render(FRAMES)
                    first = next(frames)
                    writer.write(first.image)
                    for frame in frames:
                        writer.write(frame.image)
                self._box = tuple(float(value) for value in first.box)
            return self._path, self._box
