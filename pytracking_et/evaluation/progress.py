"""What a run shows while it works: a bar with fps and time left, or a line a sequence in a log."""

from __future__ import annotations

import sys
from typing import TextIO

from tqdm import tqdm

from ..names import printable
from .units import Outcome, Unit

_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {rate_noinv_fmt}, {remaining} left"


class Progress:
    """Counts frames over all units of a run.

    Args:
        units: what is to be run.
        bar: a bar; default: where `stream` is a terminal. Otherwise one line a finished sequence.
        stream: default stderr, so that a table on stdout can be piped; under pythonw there is
            none, and nothing is shown.
    """

    def __init__(self, units: list[Unit], bar: bool | None = None, stream: TextIO | None = None):
        self.units = units
        self.stream = stream or sys.stderr
        self.finished = 0
        self._frames = [0] * len(units)
        self._bar = None
        if self.stream is not None and (self.stream.isatty() if bar is None else bar):
            self._bar = tqdm(
                total=sum(len(unit.frames) for unit in units),
                unit=" frames",
                desc=f"0/{len(units)}",
                file=self.stream,
                bar_format=_FORMAT,
                dynamic_ncols=True,
                smoothing=0.1,
            )

    def frames(self, index: int, frames: int) -> None:
        """`frames` of unit `index` are done (fewer than before where it starts again)."""
        self._frames[index] = frames
        if self._bar is not None:
            # update() also keeps tqdm's rate; it takes negative steps too.
            self._bar.update(sum(self._frames) - self._bar.n)

    def outcome(self, index: int, outcome: Outcome) -> None:
        """Unit `index` has ended."""
        unit = self.units[index]
        self.finished += 1
        self.frames(index, len(unit.frames))
        count = f"{self.finished}/{len(self.units)}"
        if outcome.result is None:
            self.note(f"{unit}: FAILED: {outcome.message}")
        if self._bar is not None:
            self._bar.set_description_str(count)
        elif outcome.result is not None:
            seconds = sum(outcome.result.times)
            fps = f"{len(unit.frames) / seconds:.1f} fps" if seconds > 0 else "no time measured"
            self.note(f"[{count}] {unit}: {len(unit.frames)} frames, {fps}")

    def note(self, text: str) -> None:
        """A line of text, above the bar if there is one; a terminal's encoding may lack letters."""
        if self.stream is None:
            return
        text = printable(text, self.stream)
        if self._bar is not None:
            self._bar.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
