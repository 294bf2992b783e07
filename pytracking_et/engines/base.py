"""What every engine offers."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Engine(Protocol):
    """A network bound to one target at a time.

    Attributes:
        name: for reports, for example "torch f32".
    """

    name: str

    def template(self, image: NDArray[np.uint8]) -> None:
        """Remember the target.

        Args:
            image: (127, 127, 3) or (128, 128, 3) uint8 RGB.
        """

    def track(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for the target.

        Args:
            image: search crop (256, 256, 3) or (288, 288, 3) uint8 RGB.

        Returns:
            score (S, S) in 0..1 and distances (4, S, S) left, top, right, bottom in pixels of the
            crop; S = 16 or 18.
        """

    def clone(self) -> Engine:
        """Engine for another target that shares the weights and has no template yet."""
