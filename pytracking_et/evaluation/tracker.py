"""pytracking's `Tracker`: a name and a parameter file, their results folder, and one run of them.

The loop over the frames follows pytracking's harness: RGB frames, `info` of the first frame from
the sequence, `previous_output` afterwards; reading a frame is not part of its time.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import ParameterError, ResultsError
from ..names import check_name
from ..settings import env_settings
from ..spec import TrackerSpec
from ..tracker import plugins
from ..tracker.base import BaseTracker, answered, finite

Output = dict[str, list[Any]]
# Opens what shows a run: pytracking's Visdom, as ours in `live.visdom_panels`, called with the
# level, {"handler", "win_id"} for keys, and `visdom_info`.
Display = Callable[[int, Mapping[str, Any], Mapping[str, Any]], Any]
PAUSE_HELP = "In the panel Tracking: space pauses and goes on, the right arrow steps one frame."


class Pause:
    """pytracking's keys in the Tracking panel: space pauses, right arrow steps."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._go.set()
        self._step = False

    def __reduce__(self) -> tuple[type[Pause], tuple[()]]:
        # Nobody's keys reach a copy, nor another process; events cannot be sent there.
        return Pause, ()

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Take a key from Visdom's thread."""
        if event.get("event_type") != "KeyPress":
            return
        if event.get("key") == " ":
            self._step = False
            (self._go.clear if self._go.is_set() else self._go.set)()
        elif event.get("key") == "ArrowRight" and not self._go.is_set():
            self._step = True
            self._go.set()

    def wait(self) -> None:
        """Return at once unless paused."""
        # In steps: on Windows Ctrl-C does not interrupt a wait without end.
        while not self._go.wait(0.1):
            pass
        if self._step:
            self._step = False
            self._go.clear()


class Tracker:
    """A tracker with one parameter file, as pytracking's harness and analysis know it.

    Args:
        name: tracker, `pytracking_et.tracker.NAME` (or of a package in PYTRACKING_ET_PLUGINS).
        parameter_name: file `pytracking_et.parameter.NAME.PARAM`.
        run_id: number of a repeated run; None for a single one.
        display_name: name in tables and plots.
        results_path: folder of all results; of the settings where None.
        asked: checkpoint, engine, precision, threads of a `TrackerSpec`.

    Attributes:
        spec: the tracker with what is asked of it, without run id and folders.
        display: opens what shows a run with debug > 0; None shows nothing.

    Neither tracker nor parameter file need exist for analysing results that are there already;
    running asks for both (ParameterError lists what there is).
    """

    def __init__(
        self,
        name: str,
        parameter_name: str,
        run_id: int | None = None,
        display_name: str | None = None,
        *,
        results_path: str | PathLike[str] | None = None,
        **asked: Any,
    ):
        if run_id is not None and (type(run_id) is not int or run_id < 0):
            raise ParameterError(f"run_id {run_id!r} must be None or an integer from 0 on")
        check_name(name, "tracker name", ParameterError)
        check_name(parameter_name, "parameter name", ParameterError)
        if asked.get("checkpoint") is not None:
            asked["checkpoint"] = str(asked["checkpoint"])
        self.spec = TrackerSpec(name, parameter_name, **asked)
        self.run_id = run_id
        self.display_name = display_name
        self.results_path = None if results_path is None else str(results_path)
        settings = env_settings()
        folder = parameter_name if run_id is None else f"{parameter_name}_{run_id:03d}"
        base = Path(settings.results_path if results_path is None else results_path)
        self.results_dir = str(base / name / folder)
        self.segmentation_dir = str(Path(settings.segmentation_path) / name / folder)
        self.visdom: Any = None
        self.display: Display | None = None
        self._pause = Pause()

    @classmethod
    def of(cls, spec: TrackerSpec, run_id: int | None = None, **keywords: Any) -> Tracker:
        """The tracker of a spec; `keywords`: display_name, results_path."""
        made = cls(spec.tracker, spec.parameter, run_id, **keywords)
        made.spec = spec
        return made

    @property
    def name(self) -> str:
        """Name of the tracker."""
        return self.spec.tracker

    @property
    def parameter_name(self) -> str:
        """Name of its parameter file."""
        return self.spec.parameter

    def __repr__(self) -> str:
        run = "" if self.run_id is None else f", run_id={self.run_id}"
        return f"Tracker({self.name!r}, {self.parameter_name!r}{run})"

    @property
    def tracker_class(self) -> type:
        """Class of the tracker; ParameterError where there is none of this name."""
        return plugins.tracker_class(self.name)

    def get_parameters(self) -> Any:
        """A fresh parameter bag, with what was given here set on it."""
        params = self.spec.parameters()
        params.tracker_name = self.name
        params.param_name = self.parameter_name
        params.run_id = self.run_id
        return params

    def create_tracker(self, params: Any) -> Any:
        """An instance of the tracker; one network a process is the tracker class's own business."""
        tracker = self.tracker_class(params)
        tracker.visdom = self.visdom
        return tracker

    def weights_file(self, params: Any) -> Path | None:
        """File of the weights that `params` lead to, for the manifest; None where it has none.

        A tracker class may tell through a static method `weights_file(params)`; otherwise
        `params.checkpoint` counts if it is a file.
        """
        find = getattr(self.tracker_class, "weights_file", None)
        named = getattr(params, "checkpoint", None) if find is None else find(params)
        return Path(named) if named and Path(named).is_file() else None

    def chosen_engine(self, params: Any) -> tuple[str | None, str | None]:
        """Engine and precision, with "auto" decided for this machine.

        A tracker class tells through a static method `chosen_engine(params)`; for others the
        values given to this object.
        """
        choose = getattr(self.tracker_class, "chosen_engine", None)
        return (self.spec.engine, self.spec.precision) if choose is None else choose(params)

    def run_sequence(
        self,
        seq: Any,
        visualization: bool | None = None,
        debug: int | None = None,
        visdom_info: Mapping[str, Any] | None = None,
        multiobj_mode: str | None = None,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Output:
        """Track one sequence, nothing is written.

        Args:
            seq: a Sequence with one target.
            visualization: shown on `display`; default: whether debug > 0.
            debug: level; default that of the parameter file, else 0.
            visdom_info: `use_visdom`, `server`, `port`.
            multiobj_mode: accepted for pytracking's signature; single targets need none.
            progress: called with the number of frames done after each frame.

        Returns:
            Lists with one entry a frame: `target_bbox` ([x, y, w, h] floats), `time` (seconds),
            `object_presence_score` (empty where the tracker reports none), and `segmentation`
            where the tracker returns masks.

        Raises:
            ImageError: a frame that cannot be read, with its path.
            ResultsError: the tracker gave no box, one that is not four finite numbers, a score
                or time that is not finite, or a negative time.
            ParameterError: unknown tracker or parameter file, or a sequence of several targets.
        """
        if getattr(seq, "multiobj_mode", False):
            raise ParameterError(
                f"sequence {seq.name!r} has several targets; this harness runs one target a "
                "sequence: make one Sequence of each"
            )
        params = self.get_parameters()
        level = debug if debug is not None else getattr(params, "debug", 0)
        params.debug = level
        params.visualization = bool(level) if visualization is None else visualization
        if params.visualization and self.visdom is None:
            self.visdom = self._open_display(level, visdom_info or {})
        return self._track(self.create_tracker(params), seq, params.visualization, progress)

    def _open_display(self, level: int, visdom_info: Mapping[str, Any]) -> Any:
        if not level or not visdom_info.get("use_visdom", True):
            return None
        if self.display is None:
            warnings.warn(
                f"debug is {level}, but nothing shows it: set the tracker's display to Visdom of "
                "pytracking_et.live.visdom_panels, or pass it as display to run_dataset",
                stacklevel=3,
            )
            return None
        keys = {"handler": self._pause.on_event, "win_id": "Tracking"}
        display = self.display(level, keys, visdom_info)
        display.register(PAUSE_HELP, "text", 1, "Help")
        return display

    def _track(
        self, tracker: Any, seq: Any, visualization: bool, progress: Callable[[int], None] | None
    ) -> Output:
        from .. import frames  # OpenCV: not before a sequence is really run

        output: Output = {"target_bbox": [], "time": [], "object_presence_score": []}
        previous: OrderedDict[str, Any] = OrderedDict()
        shape: tuple[int, ...] = ()
        with closing(frames.prefetch(seq.frames)) as images:  # type: ignore[type-var]
            for index, image in enumerate(images):
                if image.shape != shape and index > 0:
                    warnings.warn(
                        f"sequence {seq.name!r}, frame {index}: {image.shape[1]}x{image.shape[0]} "
                        f"pixels, the frame before {shape[1]}x{shape[0]}; the target is sought "
                        "where it was in pixels",
                        stacklevel=2,
                    )
                shape = image.shape
                info = OrderedDict(seq.init_info() if index == 0 else seq.frame_info(index))
                start = time.perf_counter()
                if index == 0:
                    out = tracker.initialize(image, info)
                else:
                    info["previous_output"] = previous
                    out = tracker.track(image, info)
                elapsed = time.perf_counter() - start
                where = f"{self.name} on {seq.name!r}, frame {index}"
                if index == 0 and (out is None or isinstance(out, Mapping)):
                    out = OrderedDict(out or {})
                    if "init_bbox" in info:
                        out.setdefault("target_bbox", info["init_bbox"])
                    if "init_mask" in info:
                        out.setdefault("segmentation", info["init_mask"])
                box = _collect(output, out, elapsed, where)
                previous = OrderedDict(out)
                if visualization and self.visdom is not None:
                    draw = getattr(tracker, "visdom_draw_tracking", None)
                    draw = draw or partial(BaseTracker.visdom_draw_tracking, tracker)
                    draw(image, box, out.get("segmentation"))
                    self._pause.wait()
                if progress is not None:
                    progress(index + 1)
        return _with_scores(output)


def trackerlist(
    name: str,
    parameter_name: str,
    run_ids: int | Iterable[int] | None = None,
    display_name: str | None = None,
    **keywords: Any,
) -> list[Tracker]:
    """Trackers of the same name and parameters, one a run id (None: one without)."""
    ids: list[int | None] = (
        [run_ids] if run_ids is None or isinstance(run_ids, int) else list(run_ids)
    )
    return [Tracker(name, parameter_name, i, display_name, **keywords) for i in ids]


def _collect(output: Output, out: Mapping[str, Any], elapsed: float, where: str) -> list[float]:
    box, score = answered(out, where)
    output["target_bbox"].append(box)
    seconds = finite(out.get("time", elapsed), "time", where)
    if seconds < 0:  # the analysis refuses it
        raise ResultsError(f"{where}: time is {seconds!r}; a tracker must return seconds from 0 on")
    output["time"].append(seconds)
    output["object_presence_score"].append(score)
    if out.get("segmentation") is not None:
        output.setdefault("segmentation", []).append(out["segmentation"])
    return box


def _with_scores(output: Output) -> Output:
    scores = output["object_presence_score"]
    if scores == [None]:
        scores.clear()
    elif scores and scores[0] is None:
        scores[0] = 1.0
    # pytracking leaves the lone 1.0 of the first frame for trackers without a score; one line for
    # many frames helps nobody, so there is no score at all then.
    if any(score is None for score in scores):
        output["object_presence_score"] = []
    return output
