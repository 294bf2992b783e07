"""What every engine offers, and how targets share one loaded network."""

from __future__ import annotations

import copy
import threading
from typing import Any, NoReturn, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from ..tracking import loop

Crop = NDArray[np.uint8]
Maps = tuple[NDArray[np.float32], NDArray[np.float32]]


@runtime_checkable
class Engine(loop.Engine, Protocol):
    """A network bound to one target at a time.

    Attributes:
        name: for reports, for example "torch f32".
    """

    name: str

    def clone(self) -> Engine:
        """Engine for another target that shares the weights and has no template yet."""


class Runtime(Protocol):
    """A loaded network without a target; one per process, shared by all its engines."""

    name: str

    def template(self, image: Crop) -> Any:
        """Features of a target, in whatever form `track` takes them; never written to again."""

    def track(self, template: Any, image: Crop) -> Maps:
        """Score (S, S) and distances (4, S, S) of a search crop, arrays of the caller's own."""


class TargetEngine:
    """An `Engine`: a shared `Runtime` and the features of one target.

    Calls of several threads take turns: a runtime already uses the threads it was given, and its
    buffers are not made for two callers.
    """

    def __init__(self, runtime: Runtime, lock: Any = None) -> None:
        self.runtime = runtime
        self._lock = lock or threading.Lock()
        self._template: Any = None

    @property
    def name(self) -> str:
        """Engine and precision, for example "openvino f32"."""
        return self.runtime.name

    def template(self, image: Crop) -> None:
        """Remember the target: (T, T, 3) uint8 RGB."""
        with self._lock:
            self._template = self.runtime.template(np.ascontiguousarray(image))

    def track(self, image: Crop) -> Maps:
        """Search crop (S', S', 3) uint8 RGB -> score (S, S), distances (4, S, S).

        Raises:
            EngineError: no template yet.
        """
        if self._template is None:
            raise EngineError("track before template: this engine has no target yet")
        with self._lock:
            return self.runtime.track(self._template, np.ascontiguousarray(image))

    def clone(self) -> TargetEngine:
        """Engine for another target on the same runtime."""
        return TargetEngine(self.runtime, self._lock)

    def __reduce__(self) -> NoReturn:
        # What a tracker pickles to always ends here, as an open network cannot travel.
        raise EngineError(
            "a tracker cannot be pickled: it holds an open network. Send what it was made from, "
            "and make it in the other process, which opens the network once for all its trackers; "
            "copy.deepcopy copies it within a process"
        )

    def __copy__(self) -> TargetEngine:
        twin = self.clone()
        twin._template = self._template
        return twin

    def __deepcopy__(self, memory: dict[int, Any]) -> TargetEngine:
        # The template is replaced, never written to, so both may hold the same one.
        return copy.copy(self)
