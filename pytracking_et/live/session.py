"""Several targets on one video, each with a tracker of its own; optional re-detection."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxes import Box, as_box
from ..errors import ParameterError
from .draw import LOW_SCORE, Mark


class SingleTracker(Protocol):
    """What a session needs of a tracker; `ETTracker` has it. Must be deep-copyable."""

    def init(self, image: NDArray[np.uint8], box: ArrayLike) -> None:
        """Take the target from this frame."""

    def update(self, image: NDArray[np.uint8]) -> Any:
        """(box, score) in the next frame; an object with these fields or a pair."""


@dataclass
class Target:
    """One object: id from 1 (never used again), its tracker and where it was last seen.

    at: number of the frame that its tracker has seen last; drawn: its box was given there.
    """

    id: int
    tracker: SingleTracker
    box: Box
    score: float = 1.0
    at: int = 0
    drawn: bool = True

    @property
    def mark(self) -> Mark:
        """For drawing."""
        lost = bool(getattr(self.tracker, "lost", False))
        return Mark(self.id, self.box, self.score, self.drawn, lost)


class Session:
    """The targets of one video.

        session = Session(ETTracker())
        session.add(image, (x, y, w, h))
        marks = session.update(next_image)

    Args:
        prototype: an idle tracker; each target gets a deep copy, which shares the network.
        low_score: below it a target counts as hidden or gone.
        redetect: search the whole frame, a few places at a time, for a target that is lost. Needs a
            tracker that can, and says so by an attribute `redetect`. None: where it can. Off by
            default: results then are those of the plain tracker.
    """

    def __init__(
        self,
        prototype: SingleTracker,
        low_score: float = LOW_SCORE,
        redetect: bool | None = False,
    ) -> None:
        self.prototype = prototype
        self.low_score = low_score
        self.targets: list[Target] = []
        self.due: list[Target] = []  # of the last update
        self.last_id = 0
        self._redetect = bool(getattr(prototype, "redetect", False))
        if redetect or (redetect is None and hasattr(prototype, "redetect")):
            self.redetect = True

    @property
    def redetect(self) -> bool:
        """Whether lost targets are searched for; may be switched at any time."""
        return self._redetect

    @redetect.setter
    def redetect(self, wanted: bool) -> None:
        if wanted and not hasattr(self.prototype, "redetect"):
            raise ParameterError(
                "--redetect needs a tracker with an attribute redetect, which "
                f"{type(self.prototype).__name__} has not; et_tracker has"
            )
        self._redetect = wanted
        self._tell(target.tracker for target in self.targets)

    def _tell(self, trackers: Iterable[Any]) -> None:
        for tracker in trackers:
            if hasattr(tracker, "redetect"):
                tracker.redetect = self._redetect

    def add(
        self,
        image: NDArray[np.uint8],
        box: ArrayLike,
        target_id: int | None = None,
        frame: int = 0,
    ) -> Target:
        """Start a target on this frame (HxWx3 uint8 RGB; box x, y, w, h in pixels).

        Args:
            target_id: number of a target of before, which starts anew; None: a new one.
            frame: number of the frame.

        Raises:
            BoxError: the box cannot be tracked; all targets go on.
        """
        checked = as_box(box, image.shape)
        tracker = copy.deepcopy(self.prototype)
        self._tell([tracker])
        tracker.init(image, checked)
        identity = self.last_id + 1 if target_id is None else target_id
        self.last_id = max(self.last_id, identity)
        target = Target(identity, tracker, checked, at=frame)
        others = [each for each in self.targets if each.id != identity]
        self.targets = sorted([*others, target], key=lambda each: each.id)
        return target

    def update(self, image: NDArray[np.uint8], frame: int | None = None) -> list[Mark]:
        """Find targets in the next frame; returns the marks of those that were looked for.

        Args:
            frame: its number: only targets that have seen the frame before it are due. None: all.
        """
        self.due = [each for each in self.targets if frame is None or each.at == frame - 1]
        for target in self.due:
            target.at = target.at + 1 if frame is None else frame
            target.drawn = False
        for target in self.due:
            box, score = target.tracker.update(image)
            target.box, target.score = np.asarray(box, np.float64), float(score)
        return [target.mark for target in self.due]

    def remove(self, target_id: int) -> None:
        """Forget one target; unknown ids are no error (a page may ask twice)."""
        self.targets = [target for target in self.targets if target.id != target_id]

    def reset(self) -> None:
        """Forget all targets; new ones get new numbers."""
        self.targets = []

    def copy(self) -> list[Target]:
        """The targets as they are now, for `restore`."""
        return copy.deepcopy(self.targets)

    def restore(self, targets: list[Target]) -> None:
        """Go back to an earlier `copy`."""
        self.targets = targets
        self._tell(target.tracker for target in targets)

    @property
    def marks(self) -> list[Mark]:
        """Boxes and scores of the last frame."""
        return [target.mark for target in self.targets]
