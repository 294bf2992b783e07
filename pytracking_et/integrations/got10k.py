"""Adapter for the GOT-10k toolkit (PyPI `got10k`): its experiments run our tracker.

from got10k.experiments import ExperimentOTB
from pytracking_et.integrations.got10k import GOT10kTracker
ExperimentOTB("path/to/OTB100", version=2015).run(GOT10kTracker())
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..api import ETTracker
from ..errors import ParameterError
from ..frames import read_image
from ..tracker import plugins
from ..tracker.params import evaluation_precision


def _array(image: Any) -> NDArray[Any]:
    """Pixels of a PIL image as RGB (of a palette image they would be its indices), or the array."""
    return np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)


class GOT10kTracker:
    """`got10k.trackers.Tracker` by its interface: name, is_deterministic, init, update, track.

    The toolkit only calls these, so its package (which draws in matplotlib and wget) need not be
    importable here.

    Args:
        name: folder of the results; default "pytracking_et_<parameter>".
        options: of `ETTracker` (checkpoint, parameter, engine, ...); precision is float32 where
            neither they nor the parameter file say another.
    """

    is_deterministic = True

    def __init__(self, name: str | None = None, **options: Any) -> None:
        parameter = options.setdefault("parameter", "et_tracker")
        self.name = name or f"pytracking_et_{parameter}"
        bag = plugins.parameters("et_tracker", parameter)
        options.setdefault("precision", evaluation_precision(bag))
        self._tracker = ETTracker(**options)

    def __copy__(self) -> GOT10kTracker:
        return copy.deepcopy(self)

    def init(self, image: Any, box: ArrayLike) -> None:
        """Take the target; `image` is a PIL image or RGB array, `box` x, y, w, h."""
        self._tracker.init(_array(image), box)

    def update(self, image: Any) -> NDArray[np.float64]:
        """Box (4,) x, y, w, h of the next frame."""
        return self._tracker.update(_array(image)).box

    def track(
        self, img_files: Sequence[str], box: ArrayLike, visualize: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Track through image files.

        Returns:
            boxes (N, 4) x, y, w, h, the first as given, and seconds (N,) without reading.

        Raises:
            ParameterError: `visualize`, which needs a window that this adapter does not open.
        """
        if visualize:
            raise ParameterError(
                "visualize=True is not supported; use `ettrack report` for pictures"
            )
        boxes = np.zeros((len(img_files), 4))
        seconds = np.zeros(len(img_files))
        for index, path in enumerate(img_files):
            image = read_image(path)
            start = time.perf_counter()
            if index == 0:
                self.init(image, box)
                boxes[0] = np.asarray(box, np.float64)
            else:
                boxes[index] = self.update(image)
            seconds[index] = time.perf_counter() - start
        return boxes, seconds
