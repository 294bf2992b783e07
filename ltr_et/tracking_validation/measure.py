"""Track every clip once with every subject, and remember: an interrupted table goes on."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pytracking_et.analysis import score
from pytracking_et.boxes import iou
from pytracking_et.errors import ResultsError
from pytracking_et.files import reading

from .. import jsonl
from ..dataset.base import read_image
from .clips import Clip, Start
from .subjects import Running, Subject

# A start is lost where the box hardly touches the target over its last frames that show it, at most
# this many.
LAST_FRAMES, LOST_OVERLAP = 10, 0.1


@dataclass(frozen=True)
class Run:
    """What came of one start: success AUC (percent), and whether the target was lost at its end."""

    clip: Clip
    start: Start
    auc: float
    lost: bool


def follow(
    make: Callable[[], Running], clip: Clip, starts: Sequence[Start]
) -> dict[str, NDArray[np.float64]]:
    """Boxes (frames, 4) of each start, by its key; the first row is the box that was given.

    All starts go through the clip together, so that each frame is read once, and a start that goes
    the way of a longer one (the first restart that of the whole clip) is not tracked again.
    """
    longest: dict[tuple[int, int], Start] = {}
    for start in starts:
        key = (start.frame, start.seed)
        if key not in longest or longest[key].frames < start.frames:
            longest[key] = start
    boxes: dict[tuple[int, int], list[NDArray[np.float64]]] = {key: [] for key in longest}
    trackers: dict[tuple[int, int], Running] = {}
    for number, path in enumerate(clip.paths):
        active = {
            key: one for key, one in longest.items() if one.frame <= number < one.frame + one.frames
        }
        image = read_image(path) if active else None
        for key, start in active.items():
            assert image is not None
            if number == start.frame:
                trackers[key] = make()
                trackers[key].start(image, clip.first_box(start))
                boxes[key].append(clip.first_box(start))
            else:
                boxes[key].append(trackers[key].step(image))
            if number == start.frame + start.frames - 1:
                del trackers[key]
    return {one.key: np.array(boxes[one.frame, one.seed][: one.frames]) for one in starts}


def figures(
    boxes: Mapping[str, NDArray[np.float64]], clip: Clip, starts: Sequence[Start]
) -> dict[str, tuple[float, bool]]:
    """AUC and loss of each start."""
    truth = {one.key: clip.boxes[one.frame : one.frame + one.frames] for one in starts}
    table = score(boxes, truth).per_sequence["auc"]
    found = {}
    for key, rows in truth.items():
        # Where the target is absent no box can hit it.
        there = np.isfinite(rows).all(1) & (rows[:, 2:] > 0).all(1)
        last = min(LAST_FRAMES, max(1, there.sum() // 4))
        overlap = iou(boxes[key][there][-last:], rows[there][-last:])
        found[key] = float(table[key]), bool(overlap.mean() < LOST_OVERLAP)
    return found


class Memory:
    """Results of former runs, a JSON line for each subject and clip.

    Args:
        path: file to read and append to; None remembers nothing.

    Raises:
        ResultsError: a file of something else.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known: dict[tuple[str, str], tuple[float, bool]] = {}
        if path is not None:
            with reading(path, ResultsError, "delete it, or name another --cache"):
                for record in jsonl.read(path):
                    self._take(record)

    def get(self, subject: Subject, clip: Clip, start: Start) -> tuple[float, bool] | None:
        """AUC and loss of a run, where known."""
        return self._known.get((subject.key, _run_key(clip, start)))

    def put(self, subject: Subject, clip: Clip, found: Mapping[str, tuple[float, bool]]) -> None:
        """Remember results, by the starts' keys."""
        starts = {start.key: start for start in clip.starts(quick=False)}
        runs = {_run_key(clip, starts[key]): value for key, value in found.items()}
        record = {"subject": subject.key, "label": subject.label, "clip": clip.name, "runs": runs}
        self._take(record)
        if self.path is not None:
            jsonl.append(self.path, record)

    def _take(self, record: Mapping) -> None:
        for key, (auc, lost) in record["runs"].items():
            self._known[record["subject"], key] = float(auc), bool(lost)


def _run_key(clip: Clip, start: Start) -> str:
    rows = clip.boxes[start.frame : start.frame + start.frames]
    shown = [clip.name, *clip.paths[start.frame : start.frame + 1], start.frames]
    content = repr(shown).encode() + rows.tobytes() + clip.first_box(start).tobytes()
    return hashlib.sha256(content).hexdigest()[:20]


def measure(
    subject: Subject,
    clips: Sequence[Clip],
    starts: Callable[[Clip], list[Start]],
    memory: Memory,
    processes: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Run]:
    """All runs of a subject over the clips; what `memory` knows is not tracked again.

    Args:
        starts: the runs over a clip.
        processes: worker processes; 1 tracks in this one.
        tell: called with a line for each clip that was tracked.
    """
    jobs = []
    for clip in clips:
        wanted = [one for one in starts(clip) if memory.get(subject, clip, one) is None]
        if wanted:
            jobs.append((subject, clip, wanted))
    # The longest first, so that no worker is left alone with it at the end.
    jobs.sort(key=lambda job: -sum(start.frames for start in job[2]))
    for number, (clip, found) in enumerate(_tracked(jobs, processes), 1):
        memory.put(subject, clip, found)
        mean = np.mean([auc for auc, _ in found.values()])
        tell(f"{subject.label}: {number} of {len(jobs)}, {clip.name} {mean:.1f}")
    runs = []
    for clip in clips:
        for start in starts(clip):
            known = memory.get(subject, clip, start)
            assert known is not None
            runs.append(Run(clip, start, *known))
    return runs


Job = tuple[Subject, Clip, list[Start]]


def _tracked(
    jobs: Sequence[Job], processes: int
) -> Iterator[tuple[Clip, dict[str, tuple[float, bool]]]]:
    if processes == 1 or len(jobs) < 2:
        yield from map(_track, jobs)
        return
    # Spawned: OpenVINO's and torch's threads do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_track, jobs)


def _track(job: Job) -> tuple[Clip, dict[str, tuple[float, bool]]]:
    subject, clip, starts = job
    cv2.setNumThreads(1)
    if subject.key not in _opened:
        _opened.clear()
        _opened[subject.key] = subject.open()
    return clip, figures(follow(_opened[subject.key], clip, starts), clip, starts)


_opened: dict[str, Callable[[], Running]] = {}
