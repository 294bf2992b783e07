"""pytracking's tracker contract (`pytracking.tracker.base.BaseTracker`), stated anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class BaseTracker:
    """What pytracking's harness, webcam, video and VOT runners call.

    Attributes:
        params: parameter bag.
        visdom: set by the harness where drawing is on, else None.
    """

    multiobj_mode = "default"

    def __init__(self, params: Any) -> None:
        self.params = params
        self.visdom: Any = None

    def predicts_segmentation_mask(self) -> bool:
        """Whether `track` returns a mask."""
        return False

    def initialize_features(self) -> None:
        """Load what takes time, before the first frame."""

    def initialize(self, image: NDArray[np.uint8], info: dict[str, Any]) -> dict[str, Any]:
        """Start on `image` (H, W, 3) uint8 RGB with `info["init_bbox"]` = [x, y, w, h]."""
        raise NotImplementedError

    def track(self, image: NDArray[np.uint8], info: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find the target in the next frame; returns `target_bbox` and more."""
        raise NotImplementedError

    def visdom_draw_tracking(
        self, image: NDArray[np.uint8], box: Any, segmentation: NDArray | None = None
    ) -> None:
        """Show a frame and its boxes in the panel "Tracking"."""
        if self.visdom is None:
            return
        boxes = list(box.values()) if isinstance(box, dict) else [box]
        extra = [] if segmentation is None else [segmentation]
        self.visdom.register((image, *boxes, *extra), "Tracking", 1, "Tracking")
