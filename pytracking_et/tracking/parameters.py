"""Constants of the tracking loop (docs/method.md, section 6)."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..errors import ParameterError

# Of `presence`: a weight for each kind of evidence, and the bias.
PRESENCE_NUMBERS = 8


def _finite(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    try:
        return number and math.isfinite(float(value))
    except OverflowError:  # an integer beyond
        return False


@dataclass(frozen=True)
class Parameters:
    """What the loop may be told; defaults are the published constants.

    Attributes:
        template_size: side of the template crop in pixels.
        search_size: side of the search crop in pixels.
        small_search_size: the same for targets that cover less than `small_target` of the first
            frame, which move by more than their own size.
        sure_shrink: by how many pixels the search crop is smaller after a frame in which the target
            was sure, alone and slow; a multiple of 32.
        small_target: that share, 0..1; 0 turns the larger crop off.
        context: margin around the target, as a share of width plus height, in both crops.
        penalty_k: how strongly a change of size or shape lowers a cell's score.
        window_influence: weight of the cosine window against the score, 0..1; high keeps the
            target near its last place, low follows fast motion and look-alikes alike.
        lr: rate at which the box size follows the prediction, times penalty and score.
        size_smoothing: "twice" as published, or "once".
        anchor: where the network's answer counts from: "state", as published, takes the middle of
            the crop for the place that it was cut around, though it was cut at whole pixels (half
            a pixel before that place on average); "crop" takes the pixels that were cut.
        minimum_size: smallest width and height of the box in pixels.
        calibrate: how far the first frame corrects the network's idea of the box towards the given
            one, 0 (published: not at all) .. 1: the network is asked for the box it was just given,
            and what it gets wrong there in size and place is taken off later boxes.
        hold_below: where the best score is lower, the box stays as it was; 0 never holds.
        association: whether several peaks of the score map are told apart by what was where in
            the frames before (see `association`); without, the best-ranked cell is always taken.
        redetect: whether the whole frame is searched, a few places at a time, while the target is
            lost (see `redetection`).
        presence: numbers that make the score the probability that the box is right (see
            `presence`); empty: the score is the network's.
    """

    template_size: int = 127
    search_size: int = 256
    small_search_size: int = 288
    sure_shrink: int = 0
    small_target: float = 0.004
    context: float = 0.5
    penalty_k: float = 0.007
    window_influence: float = 0.225
    lr: float = 0.616
    size_smoothing: str = "twice"
    anchor: str = "state"
    minimum_size: float = 10.0
    calibrate: float = 0.0
    hold_below: float = 0.0
    association: bool = False
    redetect: bool = False
    presence: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ParameterError: a value out of range.
        """
        if self.size_smoothing not in ("once", "twice"):
            raise ParameterError(f"size_smoothing is {self.size_smoothing!r}; use once or twice")
        if self.anchor not in ("state", "crop"):
            raise ParameterError(f"anchor is {self.anchor!r}; use state or crop")
        for name in ("association", "redetect"):
            if not isinstance(getattr(self, name), bool):
                raise ParameterError(f"{name} is {getattr(self, name)!r}; use True or False")
        self._check_presence()
        if self.template_size not in (127, 128):
            raise ParameterError(
                f"template_size is {self.template_size}; the networks take 127 or 128"
            )
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # Annotations are text here; those of other types are checked above.
            if field.type in ("int", "float") and not _finite(value):
                raise ParameterError(f"{field.name} is {value!r}; it must be a finite number")
            if field.type == "int" and not isinstance(value, Integral):
                raise ParameterError(f"{field.name} is {value!r}; it must be a whole number")
        for name in ("search_size", "small_search_size"):
            value = getattr(self, name)
            if value < 128 or value % 32:
                raise ParameterError(f"{name} is {value}; use a multiple of 32, at least 128")
        smallest = min(self.search_size, self.small_search_size) - self.sure_shrink
        if self.sure_shrink < 0 or self.sure_shrink % 32 or smallest < 128:
            raise ParameterError(
                f"sure_shrink is {self.sure_shrink}; use a multiple of 32 that leaves 128 of "
                "search_size and small_search_size"
            )
        for name in ("small_target", "window_influence", "lr", "calibrate", "hold_below"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ParameterError(f"{name} is {value}; it must lie in 0..1")
        for name in ("context", "penalty_k", "minimum_size"):
            value = getattr(self, name)
            if not value >= 0:
                raise ParameterError(f"{name} is {value}; it must not be negative")

    def _check_presence(self) -> None:
        value = self.presence
        if not isinstance(value, (tuple, list)) or not all(map(_finite, value)):
            raise ParameterError(f"presence is {value!r}; it must be a list of finite numbers")
        if len(value) not in (0, PRESENCE_NUMBERS):
            raise ParameterError(
                f"presence has {len(value)} numbers; {PRESENCE_NUMBERS}, or none for the raw score"
            )
        # JSON has lists only.
        object.__setattr__(self, "presence", tuple(float(number) for number in value))

    @staticmethod
    def names() -> tuple[str, ...]:
        """Names of all fields."""
        return tuple(field.name for field in dataclasses.fields(Parameters))

    @staticmethod
    def from_fields(fields: Mapping[str, Any]) -> Parameters:
        """Make parameters from names and values.

        Raises:
            ParameterError: a name that is no field (with the nearest one), or a bad value.
        """
        known = Parameters.names()
        for name in fields:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; one of: {', '.join(known)}"
                raise ParameterError(f"unknown tracking parameter {name!r}{hint}")
        return Parameters(**fields)
