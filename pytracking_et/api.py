"""Three lines: `tracker = ETTracker()`, `tracker.init(image, box)`, `tracker.update(image)`."""

from __future__ import annotations

import copy
import dataclasses
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .boxes import Prediction
from .tracker import plugins
from .tracker.opening import open_loop
from .tracking.association import Candidates
from .tracking.image import Color, check_color


class ETTracker:
    """Track one object through a video.

    Examples:
        >>> from pytracking_et import ETTracker
        >>> tracker = ETTracker()                              # doctest: +SKIP
        >>> tracker.init(image, (x, y, width, height))         # doctest: +SKIP
        >>> box, score = tracker.update(next_image)            # doctest: +SKIP

    Args:
        checkpoint: weight file; None takes PYTRACKING_ET_CHECKPOINT, the package's own, or the
            cache, in this order.
        parameter: parameter file: "et_tracker", "et_tracker_published", "lt_mobile", ...
        engine: "auto", "torch", "onnx" or "openvino".
        color: channel order of the images, "rgb" or (OpenCV) "bgr"; may be overruled per call.
        threads: CPU threads; None leaves the library's default.
        precision: "auto", "f32", "bf16" or "int8", where the engine has it.
        redetect: search the whole frame, a few places at a time, while the target is lost; None:
            as the parameter file says (ours: no).

    Copies (`copy.copy`, `copy.deepcopy`) share the network and track on independently. Pickling is
    an EngineError: make the tracker in the process that uses it.

    Raises:
        CheckpointError: no weights, or weights that do not fit.
        ParameterError: an argument with a value it cannot have.
        EngineError: an engine that cannot run here.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike[str] | None = None,
        parameter: str = "et_tracker",
        engine: str = "auto",
        color: Color = "rgb",
        threads: int | None = None,
        precision: str = "auto",
        redetect: bool | None = None,
    ) -> None:
        self.color = check_color(color)
        self.parameter = parameter
        params = plugins.parameters("et_tracker", parameter)
        self._loop = open_loop(params, checkpoint, engine, threads, precision)
        if redetect is not None:
            self.redetect = redetect

    def __copy__(self) -> ETTracker:
        return copy.deepcopy(self)

    def init(self, image: NDArray[Any], box: ArrayLike, color: Color | None = None) -> None:
        """Take the target from a frame; may be called again for a new target.

        Args:
            image: (H, W, 3) uint8; grey (H, W), RGBA and uint16 are converted.
            box: x, y, w, h in pixels, 0-based, of the target; must overlap the image.
            color: channel order of this image, if not the tracker's.

        Raises:
            ImageError: an image that cannot be used; the former target stays.
            BoxError: a box that cannot be tracked; the former target stays.
            EngineError: the network's answer is not finite; then there is no target.
        """
        self._loop.start(image, box, color or self.color)

    def update(self, image: NDArray[Any], color: Color | None = None) -> Prediction:
        """Find the target in the next frame.

        Returns:
            (box, score): box (4,) float64 x, y, w, h in pixels, 0-based; score 0..1: with our
            weights and parameters the probability that the box is right (IoU above 0.5).

        Raises:
            ImageError: the state stays as it was.
            ParameterError: `init` has not been called.
        """
        return self._loop.step(image, color or self.color)

    def move_to(self, center: ArrayLike) -> None:
        """Search around another place, x, y in pixels, in the next update (re-detection).

        The score goes on to weigh the frames before, as the move may be wrong: after a right one
        it, and `lost`, take some ten frames to recover.
        """
        self._loop.move_to(center)

    @property
    def box(self) -> NDArray[np.float64]:
        """Where the target is believed to be: (4,) x, y, w, h in pixels."""
        return self._loop.box

    @property
    def candidates(self) -> Candidates | None:
        """What looked like the target in the last update: boxes, scores, and which it is."""
        return self._loop.candidates

    @property
    def lost(self) -> bool:
        """Whether the target is gone: the score is below 0.5.

        Where the score is the network's own, it turns after some frames in a row that say so.
        """
        return self._loop.lost

    @property
    def raw_score(self) -> float:
        """The network's own score of the last update, 0..1, before it became a probability."""
        return self._loop.raw_score

    @property
    def redetect(self) -> bool:
        """Whether a lost target is searched for over the whole frame; may be set at any time."""
        return self._loop.parameters.redetect

    @redetect.setter
    def redetect(self, wanted: bool) -> None:
        self._loop.parameters = dataclasses.replace(self._loop.parameters, redetect=wanted)

    @property
    def score_map(self) -> NDArray[np.float32] | None:
        """Scores (S, S) of the last update, 0..1, one per 16 pixels of `search_crop`."""
        return self._loop.score_map

    @property
    def search_crop(self) -> NDArray[np.uint8] | None:
        """Search region of the last update, (S', S', 3) uint8 RGB."""
        return self._loop.search_crop
