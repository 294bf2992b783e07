"""The tracking loop of E.T.Track: one target, one engine, no torch.

See docs/method.md, section 6. State lives on the object; `Loop` knows neither files nor pytracking.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxes import Box, Prediction, as_box
from ..errors import BoxError, EngineError, ParameterError
from .appearance import looks, thumbnail
from .association import Association, Candidates
from .crop import context_side, crop, crop_origin, mean_color, round_half_away, search_side
from .decode import Cells, Choice, decode, peaks
from .image import Color, Image, as_three_channels, check_color
from .parameters import Parameters
from .presence import Presence, evidence
from .redetection import Search

# Largest factor between the given box and the network's, per side, that still calibrates.
CALIBRATION_LIMIT = 1.5
# `lost` turns on below the one and off above the other, in either case after so many frames. A
# score that is a probability is a mean over frames already, and turns at once.
LOST_BELOW, FOUND_ABOVE, TURN_AFTER = 0.4, 0.6, 3
LIKELY = 0.5
# A find elsewhere in the frame must be this sure: the whole frame holds more look-alikes than the
# surroundings of the target. On the absences of docs/your-own-video.md 0.7 finds no more and is
# wrong with a high score in 19 % of the frames after the return, 0.85 in 12 %.
FOUND = 0.85
# A smaller crop is enough after a frame with at least this score, a step of at most this share of
# the target's size, and a box of at most this share of that crop. Score and step: measured on the
# shared sequences and WTRACK (0.9 looks too small too often, and 14 % of the frames cost little).
SURE_SCORE, SURE_STEP, SURE_SHARE = 0.95, 0.3, 0.8


class Engine(Protocol):
    """What the loop needs of an engine; `pytracking_et.engines` has them."""

    def template(self, image: Image) -> None:
        """Remember the target.

        Args:
            image: (127, 127, 3) or (128, 128, 3) uint8 RGB.
        """

    def track(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for the target.

        Args:
            image: search crop (256, 256, 3) or (288, 288, 3) uint8 RGB.

        Returns:
            score (S, S) in 0..1 and distances (4, S, S) left, top, right, bottom in pixels of the
            crop; S = 16 or 18.
        """


@dataclass(frozen=True)
class _Seen:
    """One crop: its cells, the place in the frame of its middle, search pixels per frame pixel."""

    cells: Cells
    middle: NDArray[np.float64]
    scale: float
    crop: Image

    def boxes(self, cells: list[tuple[int, int]]) -> NDArray[np.float64]:
        """Boxes (N, 4) of cells in pixels of the frame."""
        return self.cells.boxes(cells, self.middle, self.scale)

    def looks(self, cells: list[tuple[int, int]]) -> NDArray[np.float32]:
        """What their boxes show."""
        return looks(self.crop, self._in_crop(cells))

    def thumbnail(self, cell: tuple[int, int]) -> NDArray[np.float32]:
        """What its box shows, in little."""
        return thumbnail(self.crop, self._in_crop([cell])[0])

    def _in_crop(self, cells: list[tuple[int, int]]) -> NDArray[np.float64]:
        return self.cells.boxes(cells, np.full(2, self.crop.shape[0] / 2), 1.0)


class Loop:
    """Track one target from frame to frame.

    Attributes:
        score_map: (S, S) float32 of the last step, 0..1, for display; None before.
        search_crop: (S', S', 3) uint8 RGB that the last step looked at; None before.
        candidates: what looked like the target in the last step; None before.
        lost: whether the target is gone, as far as score and association tell.
        raw_score: of the network in the last step, 0..1; what `step` returns is the same without
            `presence` among the parameters.
    """

    def __init__(self, engine: Engine, parameters: Parameters | None = None) -> None:
        self.engine = engine
        self.parameters = parameters or Parameters()
        self.score_map: NDArray[np.float32] | None = None
        self.search_crop: Image | None = None
        self.candidates: Candidates | None = None
        self.lost, self.raw_score = False, 1.0
        self._center: NDArray[np.float64] | None = None
        self._loaded: set[int] = set()

    def start(self, image: Image, box: ArrayLike, color: Color = "rgb") -> None:
        """Take the target from its first frame.

        Args:
            image: (H, W, 3) uint8 (grey, RGBA, 16-bit are converted).
            box: x, y, w, h in pixels, 0-based; must overlap the image.
            color: channel order of the image.

        Raises:
            ImageError: an image that cannot be used; the loop keeps its former target.
            BoxError: a box that cannot be tracked; the loop keeps its former target.
            ParameterError: another channel order than "rgb" or "bgr"; likewise.
            EngineError: the network's answer is not finite; then there is no target.
        """
        image, color = as_three_channels(image), check_color(color)
        target = as_box(box, image.shape)
        settings = self.parameters
        height, width = image.shape[:2]
        share = target[2] * target[3] / (width * height)
        small = share < settings.small_target
        side = max(round_half_away(context_side(target[2], target[3], settings.context)), 1)
        center, fill = target[:2] + target[2:] / 2, mean_color(image)
        patch = _rgb(crop(image, center, side, settings.template_size, fill), color)
        self.engine.template(patch)
        # Until all of the new target is known there is none: the engine has lost the former one.
        self._center = None
        # In red, green, blue: later frames may come in the other order.
        self._size, self._fill = target[2:].copy(), fill if color == "rgb" else fill[::-1]
        self._limits = np.array([width, height], np.float64)
        self._search_size = settings.small_search_size if small else settings.search_size
        self._sure = False
        # Engines load a graph when its size is first asked for: now, not in some later frame.
        for each in (self._search_size, self._search_size - settings.sure_shrink):
            if each not in self._loaded:
                self.engine.track(np.zeros((each, each, 3), np.uint8))
                self._loaded.add(each)
        self._ratio, self._shift = np.ones(2), np.zeros(2)
        if settings.calibrate > 0:
            self._calibrate(image, color, center)
        self.score_map = self.search_crop = self.candidates = None
        self.lost, self.raw_score, self._turns = False, 1.0, 0
        middle = settings.template_size / 2
        given = target[2:] * settings.template_size / side
        here = np.concatenate([middle - given / 2, given])
        look = looks(patch, here[None])[0]
        self._association = Association(center, self._size, look)
        self._presence = Presence(look, thumbnail(patch, here), settings.presence)
        self._search, self._kept = Search(), self._size
        self._center = center

    def _calibrate(self, image: Image, color: Color, center: NDArray[np.float64]) -> None:
        seen = self._look(image, color, center, self._size, self._search_size)
        choice = seen.cells.choice(seen.cells.best())
        found = choice.size / seen.scale
        # An answer that misses the given box by more says nothing about how boxes are drawn.
        limits = 1 / CALIBRATION_LIMIT, CALIBRATION_LIMIT
        ratio = self._size / found
        off = seen.middle + choice.offset / seen.scale - center
        near = np.abs(off) < (CALIBRATION_LIMIT - 1) * self._size
        if np.all((ratio > limits[0]) & (ratio < limits[1]) & near):
            self._ratio = ratio**self.parameters.calibrate
            self._shift = -off / found * self.parameters.calibrate

    @property
    def box(self) -> Box:
        """Where the target is believed to be: x, y, w, h in pixels."""
        center = self._require_center()
        corner = np.maximum(center - self._size / 2, 0)
        return np.concatenate([corner, self._size])

    @property
    def evidence(self) -> tuple[float, ...]:
        """What the probability of the last step was made of (`presence.Presence.weighed`)."""
        self._require_center()
        return self._presence.weighed

    def move_to(self, center: ArrayLike) -> None:
        """Search around another place in the next step; template and size stay.

        Args:
            center: x, y in pixels; one outside of the last frame is brought to its border.

        Raises:
            ParameterError: `start` has not been called.
            BoxError: not two finite numbers.
        """
        self._require_center()
        try:
            place = np.array(center, np.float64).reshape(-1)
        except (TypeError, ValueError, OverflowError):
            place = np.empty(0)
        if place.shape != (2,) or not np.isfinite(place).all():
            raise BoxError(f"centre {center!r} is not two finite numbers x, y in pixels")
        self._center = np.clip(place, 0, self._limits)
        # What was where in the frames before says nothing of this place.
        self._association.restart(self._center, self._size)
        self._search.clear()
        self._sure = False

    def step(self, image: Image, color: Color = "rgb") -> Prediction:
        """Find the target in the next frame.

        Returns:
            box (4,) x, y, w, h in pixels and score 0..1.

        Raises:
            ImageError: an image that cannot be used; the state stays as it was.
            EngineError: the network's answer is not finite; the state stays as it was.
            ParameterError: `start` has not been called, or another channel order.
        """
        image, color = as_three_channels(image), check_color(color)
        center = self._require_center()
        side = self._search_size - (self.parameters.sure_shrink if self._sure else 0)
        seen = self._look(image, color, center, self._size, side)
        self.score_map, self.search_crop = seen.cells.score, seen.crop
        self._limits = np.array([image.shape[1], image.shape[0]], np.float64)
        score = self._decide(seen)
        if self.lost and self.parameters.redetect:
            score = self._redetect(image, color, score)
        elif score >= LIKELY:
            self._kept = self._size
            self._search.clear()
        return Prediction(self.box, score)

    def _decide(self, seen: _Seen) -> float:
        """Take one of the peaks, move there; returns the score."""
        cells, best = seen.cells, seen.cells.best()
        found = peaks(cells, best)
        boxes = seen.boxes(found)
        scores = np.array([cells.score[cell] for cell in found], np.float64)
        published = found.index(best)
        target: int | None = published
        if self.parameters.association or self.parameters.presence:
            appear = seen.looks(found)
        if self.parameters.association:
            target = self._association.choose(boxes, scores, appear, published)
        self.candidates = Candidates(boxes, scores, target)
        row = published if target is None else target
        choice = cells.choice(found[row])
        self._sure = len(found) == 1 and target == 0 and self._is_sure(choice, seen.scale)
        if target is None:
            center = self._require_center() + self._association.shift
            self._center = np.clip(center, 0, self._limits)
        elif choice.score >= self.parameters.hold_below:
            self._move(choice, seen.middle, seen.scale)
        else:  # held, but within a frame that may have become smaller
            self._center = np.clip(self._require_center(), 0, self._limits)
        self.raw_score = choice.score
        if not self.parameters.presence:
            self._judge(0.0 if target is None else choice.score)
            return choice.score
        facts, little = evidence(cells, found, row), seen.thumbnail(found[row])
        score = self._presence.see(facts, appear[row], little)
        self.lost = score < LIKELY
        return score

    def _redetect(self, image: Image, color: Color, score: float) -> float:
        """Try the next few places; the box goes to the surest find, if it is surer than here."""
        settings, now = self.parameters, self.box
        region = (
            self._search_size
            / settings.template_size
            * context_side(self._kept[0], self._kept[1], settings.context)
        )
        best: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None
        for center, factor in self._search.next(image.shape, now, region):
            seen = self._look(image, color, center, self._kept * factor, self._search_size)
            # No window: where in the crop the target would be is not known.
            likely = seen.cells.penalty * seen.cells.score
            cell = divmod(int(likely.argmax()), likely.shape[1])
            if best is None or likely[cell] > best[0]:
                box = seen.boxes([cell])[0]
                best = float(likely[cell]), box[:2] + box[2:] / 2, box[2:]
        if best is None:
            return score
        # A second look, centred on the find: off centre even the target itself scores less.
        _, center, size = best
        seen = self._look(image, color, center, size, self._search_size)
        cell = seen.cells.best()
        found = peaks(seen.cells, cell)
        row = found.index(cell)
        facts, little = evidence(seen.cells, found, row), seen.thumbnail(cell)
        trial = self._presence.elsewhere(facts, little)
        sure = trial.see(facts, seen.looks(found)[row], little)
        if sure < max(FOUND, score):
            return score
        box, self._presence = seen.boxes([cell])[0], trial
        self._center = box[:2] + box[2:] / 2 + self._shift * box[2:]
        self._center = np.clip(self._center, 0, self._limits)
        self._size = np.clip(box[2:] * self._ratio, settings.minimum_size, self._limits)
        self._kept = self._size
        self._association.restart(self._center, self._size)
        self._search.clear()
        scores = np.array([seen.cells.score[cell] for cell in found], np.float64)
        self.candidates = Candidates(seen.boxes(found), scores, row)
        self.score_map, self.search_crop = seen.cells.score, seen.crop
        self.raw_score, self.lost, self._turns, self._sure = float(scores[row]), False, 0, False
        return sure

    def _is_sure(self, choice: Choice, scale: float) -> bool:
        """Whether the target is clear, slow and small enough for a smaller crop to hold it."""
        step = np.linalg.norm(choice.offset) / np.sqrt(np.prod(self._size * scale))
        inside = choice.size.max() < SURE_SHARE * (self._search_size - self.parameters.sure_shrink)
        return bool(choice.score >= SURE_SCORE and step <= SURE_STEP and inside)

    def _judge(self, score: float) -> None:
        """Turn `lost` over only where several frames in a row say so."""
        against = score > FOUND_ABOVE if self.lost else score < LOST_BELOW
        self._turns = self._turns + 1 if against else 0
        if self._turns == TURN_AFTER:
            self.lost, self._turns = not self.lost, 0

    def _look(
        self,
        image: Image,
        color: Color,
        center: NDArray[np.float64],
        size: NDArray[np.float64],
        output: int,
    ) -> _Seen:
        """Ask the engine about the surroundings of a place, (output, output) search pixels."""
        settings = self.parameters
        side = context_side(size[0], size[1], settings.context)
        scale = settings.template_size / side
        region = max(round_half_away(search_side(side, settings.template_size, output)), 1)
        fill = self._fill if color == "rgb" else self._fill[::-1]
        patch = _rgb(crop(image, center, region, output, fill), color)
        if settings.anchor == "crop":
            # From whole pixels, so that no rounding of former frames is left in the state.
            center = np.array(crop_origin(center, region)) + region / 2
            scale = output / region
        score, distances = self.engine.track(patch)
        cells = decode(score, distances, size * scale, output, settings)
        # Any NaN in the maps ranks highest; held or moved to, the box would never say so.
        if not (np.isfinite(cells.ranking).all() and np.isfinite(cells.size).all()):
            raise EngineError(
                f"the network's answer is not finite (score {cells.score[cells.best()]}); the "
                "weights or the engine are broken: ettrack weights check FILE, or another --engine"
            )
        return _Seen(cells, center, scale, patch)

    def _move(self, choice: Choice, middle: NDArray[np.float64], scale: float) -> None:
        rate = choice.penalty * choice.score * self.parameters.lr
        found = choice.size / scale
        goal = found * self._ratio
        if self.parameters.size_smoothing == "twice":
            goal = self._size * (1 - rate) + goal * rate
        size = self._size * (1 - rate) + goal * rate
        offset = choice.offset / scale + self._shift * found
        self._center = np.clip(middle + offset, 0, self._limits)
        self._size = np.minimum(np.maximum(size, self.parameters.minimum_size), self._limits)

    def _require_center(self) -> NDArray[np.float64]:
        if self._center is None:
            raise ParameterError("no target yet: call init (start) with a frame and a box first")
        return self._center

    def __copy__(self) -> Loop:
        """As deep: two loops on one engine would take each other's target."""
        return copy.deepcopy(self)


def _rgb(patch: Image, color: Color) -> Image:
    # Swapping channels of the crop instead of the frame saves a copy of the whole frame.
    if color == "rgb":
        return patch
    return np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2RGB), np.uint8)
