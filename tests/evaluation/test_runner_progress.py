"""What a run shows: a bar that also goes back, or lines."""

from __future__ import annotations

import io

import pytest

from pytracking_et.evaluation.runner import Progress
from pytracking_et.evaluation.units import Outcome, Unit
from pytracking_et.results.files import Result
from pytracking_et.spec import TrackerSpec


def unit(name: str, frames: int) -> Unit:
    paths = tuple(str(number) for number in range(frames))
    return Unit(TrackerSpec("t", "p"), None, "otb", name, paths, (1.0, 2.0, 3.0, 4.0))


def done(frames: int, seconds: float = 0.5) -> Outcome:
    return Outcome(Result([[1.0, 2, 3, 4]] * frames, [seconds] * frames))


UNITS = [unit("a", 10), unit("b", 30)]


def test_lines_in_a_log():
    stream = io.StringIO()
    progress = Progress(UNITS, stream=stream)
    progress.frames(0, 5)
    progress.outcome(0, done(10))
    progress.outcome(1, Outcome(None, "ImageError: broken"))
    progress.note("a note")
    progress.close()
    assert stream.getvalue().splitlines() == [
        "[1/2] a (t/p): 10 frames, 2.0 fps",
        "b (t/p): FAILED: ImageError: broken",
        "a note",
    ]


@pytest.mark.parametrize("bar", [None, True, False])
def test_nothing_without_a_stream(monkeypatch, bar):
    """Under pythonw there is no stderr."""
    monkeypatch.setattr("sys.stderr", None)
    progress = Progress(UNITS, bar)
    progress.outcome(0, done(10))
    progress.outcome(1, Outcome(None, "ImageError: broken"))
    progress.close()
    assert progress.finished == 2


def test_times_of_zero_are_no_division():
    stream = io.StringIO()
    Progress(UNITS, stream=stream).outcome(0, done(10, 0.0))
    assert "no time measured" in stream.getvalue()


def test_bar_counts_frames_and_goes_back_for_a_second_attempt():
    stream = io.StringIO()
    progress = Progress(UNITS, bar=True, stream=stream)
    counts = []
    for index, frames in [(0, 4), (1, 6), (0, 0), (0, 10), (1, 30)]:
        progress.frames(index, frames)
        counts.append(progress._bar.n)
    assert counts == [4, 10, 6, 16, 40]
    progress.outcome(0, done(10))
    progress.close()
    assert "1/2" in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_bar_only_in_a_terminal(terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    progress = Progress(UNITS, stream=stream)
    assert (progress._bar is not None) == terminal
    progress.close()
