"""Webcam and video runs put together: source, tracker, displays, output, results."""

from __future__ import annotations

import copy
import errno
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxes import Box, as_box
from ..errors import ParameterError, ResultsError, error_line
from ..files import atomic_open, reading
from ..results.exchange import WRITERS, TrackRow, starts
from ..settings import env_settings, expanded
from ..spec import TrackerSpec
from ..tracker.base import answered
from ..videos import VideoWriter, only_for_players
from .controls import Controls, View
from .demo import write_png
from .displays import HELP, VisdomDisplay, Window, why_no_window
from .draw import LOW_SCORE, annotate, pixel_grid
from .emit import Emitter
from .player import Display, Player, Summary
from .reader import BACK, Reader
from .recording import Recording, Rows
from .session import Session, SingleTracker
from .sources import CaptureSource, ImageSource, breaks_off, open_source
from .visdom_server import ADDRESS, LocalServer


@dataclass
class LiveOptions:
    """What `ettrack webcam` and `ettrack video` take; see `commands.live`.

    Attributes:
        redetect: None: where the tracker can.
        low_score: None takes `object_presence_score_threshold` of the parameter file, or
            `LOW_SCORE`.
    """

    source: str
    spec: TrackerSpec = TrackerSpec()
    boxes: Sequence[Sequence[float]] = ()
    starts: str | None = None
    output: str | None = None
    overlay: bool = False
    emit: str | None = None
    export: Sequence[str] = ()
    save_results: bool = False
    results: str | None = None
    debug: int = 0
    use_visdom: bool = True
    visdom_server: str = ADDRESS
    visdom_port: int = 8097
    visdom_start: bool = False
    window: bool = True
    redetect: bool | None = None
    low_score: float | None = None


class PytrackingTracker:
    """A pytracking tracker (`initialize`, `track`) as `init` and `update`.

    Args:
        make: makes the tracker; called again for a copy, where it cannot be copied before it has
            started.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.tracker = tracker = make()
        self._started = False
        self._previous: Mapping[str, Any] = {}
        prepare = getattr(tracker, "initialize_features", None)
        if prepare is not None:
            prepare()

    def init(self, image: NDArray[np.uint8], box: ArrayLike) -> None:
        """Start on a frame, RGB HxWx3 uint8; box x, y, w, h in pixels."""
        self._started = True
        out = self.tracker.initialize(image, {"init_bbox": [float(v) for v in as_box(box)]})
        self._previous = out or {}

    def update(self, image: NDArray[np.uint8]) -> tuple[Box, float]:
        """Box and score (1 where the tracker reports none) in the next frame."""
        # Where the published E.T.Track plug-in, for one, keeps its state.
        output = self.tracker.track(image, {"previous_output": self._previous})
        box, score = answered(output, type(self.tracker).__name__)
        self._previous = output
        return np.array(box), 1.0 if score is None else score

    def __deepcopy__(self, memo: dict[int, Any]) -> PytrackingTracker:
        copied = object.__new__(PytrackingTracker)
        try:
            vars(copied).update(copy.deepcopy(vars(self), memo))
        except Exception as error:  # an object of OpenCV's, a session of ONNX Runtime, a lock
            if self._started:
                name = type(self.tracker).__name__
                raise ParameterError(f"{name} cannot be copied: {error_line(error)}") from error
            return PytrackingTracker(self._make)
        return copied


def refuse_options(spec: TrackerSpec) -> None:
    """Whether a tracker takes what is asked of it; ParameterError where it does not."""
    asked = (spec.engine or "auto", spec.precision or "auto") != ("auto", "auto")
    if spec.tracker != "et_tracker" and (spec.checkpoint or spec.threads or asked):
        raise ParameterError(
            "--checkpoint, --engine, --precision and --threads are for et_tracker; "
            f"{spec.tracker!r} takes its own from its parameter file {spec.parameter!r}"
        )


def make_tracker(spec: TrackerSpec) -> SingleTracker:
    """The tracker that is specified, on the fastest engine unless one is named.

    Raises:
        ParameterError: no such tracker or parameter file, or options it cannot take.
        CheckpointError: see `ETTracker`.
        EngineError: see `ETTracker`.
    """
    engine, precision = spec.engine or "auto", spec.precision or "auto"
    if spec.tracker == "et_tracker":
        from ..api import ETTracker

        return ETTracker(
            spec.checkpoint, spec.parameter, engine, threads=spec.threads, precision=precision
        )
    from ..tracker import plugins

    refuse_options(spec)
    parameters = plugins.parameters(spec.tracker, spec.parameter)
    # What pytracking's harness sets on every bag.
    parameters.tracker_name, parameters.param_name = spec.tracker, spec.parameter
    for name, value in (("debug", 0), ("visualization", False), ("run_id", None)):
        if not hasattr(parameters, name):
            setattr(parameters, name, value)
    return PytrackingTracker(partial(plugins.tracker_class(spec.tracker), parameters))


def low_score(spec: TrackerSpec, given: float | None = None) -> float:
    """Score below which a target is shown as hidden or gone, where none is given.

    A matter of the weights, whose scores differ in how sure they are: hence pytracking's field
    `object_presence_score_threshold` of the parameter file; else `LOW_SCORE`.

    Raises:
        ParameterError: no such parameter file, or `given` is no number.
    """
    if given is None:
        return float(getattr(spec.parameters(), "object_presence_score_threshold", LOW_SCORE))
    if given != given:
        raise ParameterError(f"--low-score {given} is no number; scores lie from 0 to 1")
    return given


def run_live(options: LiveOptions) -> int:
    """Track from a camera, stream, video or images until it ends or the user quits.

    Results and output are written also when the source fails or the run is stopped by Ctrl-C.

    Returns:
        0; errors of the user's making are raised.
    """
    begins = _starts(options)
    exports = [_export(text) for text in options.export]
    _keep_apart(options, exports)
    source = open_source(options.source)
    with ExitStack() as stack:
        controls = Controls()
        # The tracker first: loading takes a while, and a window would stand there without answer.
        limit = low_score(options.spec, options.low_score)
        session = Session(make_tracker(options.spec), limit, options.redetect)
        displays = _displays(options, controls, stack, source)
        windowed = any(isinstance(display, Window) for display in displays)
        output = _output(options, source, displays)
        recording = _recording(options, source, displays)
        player = Player(
            stack.enter_context(Reader(source, back=BACK if displays else 0)),
            session,
            controls,
            displays,
            boxes=[as_box(box) for box in options.boxes],
            starts=begins,
            recording=recording,
            pace=None if source.live or not windowed else source.fps,
        )
        # A file waits for the first box; without one there would be nothing to see of it.
        if not source.live and not options.boxes and not begins:
            controls.pause()
        if output:
            writer = stack.enter_context(VideoWriter(output, source.fps))
            player.on_frame.append(lambda view: writer.write(_written(view, options.overlay)))
        emitter = stack.enter_context(Emitter(options.emit)) if options.emit else None
        started = time.monotonic()
        try:
            with ExitStack() as bars:  # gone before the last lines are printed
                if not source.live and not windowed:
                    player.on_frame.extend(_progress(source, bars))
                if emitter is not None:
                    player.on_frame.append(lambda view: emitter.emit(view.index, session.targets))
                player.run()
        except KeyboardInterrupt:
            _say("stopped")
        finally:
            # Also when the camera was pulled out: what was tracked so far is kept. Each file is
            # tried, whatever becomes of the others.
            with ExitStack() as files:
                if recording is not None and player.summary.frames:
                    rows = [TrackRow(*row[:4], row.size) for row in recording.all()]
                    for kind, path in exports:
                        files.callback(_write_export, kind, path, rows)
                if isinstance(recording, Recording):
                    files.callback(_save, recording)
        _report(player.summary, source, time.monotonic() - started)
    if output:
        _say(f"video: {output}")
        if hint := only_for_players(output):
            _say(hint)
    return 0


def _displays(
    options: LiveOptions, controls: Controls, stack: ExitStack, source: CaptureSource | ImageSource
) -> list[Display]:
    """Window where possible, Visdom where asked for; says what is used instead of a window."""
    reason = why_no_window() if options.window else "--window false"
    found: list[Display] = []
    if reason is None:
        found.append(stack.enter_context(Window(controls, f"E.T.Track: {source.name}")))
        _say(HELP)
    debug = options.debug
    given = options.boxes or options.starts
    if options.visdom_start or (reason and not given and options.use_visdom):
        debug = max(debug, 1)  # without it there would be no panel, and no way to draw a box
    if options.visdom_start and options.use_visdom:
        stack.enter_context(LocalServer(options.visdom_port))
        _say(f"Visdom: http://{ADDRESS}:{options.visdom_port}")
    connected = False
    if debug > 0 and options.use_visdom:
        info = {
            "server": options.visdom_server,
            "port": options.visdom_port,
            "started": options.visdom_start,
        }
        panels = stack.enter_context(VisdomDisplay(controls, debug, info))
        found.append(panels)
        connected = reason is not None and panels.visdom.connected()
    if reason is None:
        return found
    if not connected and not given:
        picture = Path(f"{source.name}_first_frame.png")
        write_png(picture, pixel_grid(next(iter(source)).image))
        raise ParameterError(
            f"no window here: {reason}. Give the box with --box x y w h (read it from "
            f"{picture}), draw it in Visdom (--visdom-start), or use the web page: "
            "ettrack serve"
        )
    way = f"Visdom at {options.visdom_server}:{options.visdom_port}" if connected else "output"
    _say(f"no window here ({reason}); using {way}")
    return found


def _starts(options: LiveOptions) -> dict[int, list[TrackRow]]:
    """First boxes of --starts by number of the frame."""
    if options.starts is None:
        return {}
    if options.boxes:
        raise ParameterError("--starts FILE and --box: give one of them; put the box into the file")
    with reading(options.starts, ResultsError, "give MOT challenge text or CVAT XML in UTF-8"):
        rows = starts(Path(options.starts).read_text("utf-8-sig"))
    if not rows:
        raise ResultsError(f"{options.starts} holds no box")
    found: dict[int, list[TrackRow]] = {}
    for row in rows:
        found.setdefault(row.frame, []).append(row)
    return found


def _output(
    options: LiveOptions, source: CaptureSource | ImageSource, displays: Sequence[Display]
) -> str | None:
    """Output file: as given, or one of our naming when there would be no trace of the run."""
    if options.output or options.emit or options.export or displays or options.save_results:
        return options.output
    return f"{source.name}_tracked.mp4"


def _recording(
    options: LiveOptions, source: CaptureSource | ImageSource, displays: Sequence[Display]
) -> Rows | None:
    if not options.save_results:
        # What going back in a file shows; a camera would only fill the memory.
        return Rows() if options.export or (displays and not source.live) else None
    root = Path(options.results or env_settings().results_path)
    return Recording(root / options.spec.tracker / options.spec.parameter, source.name)


def _export(text: str) -> tuple[str, Path]:
    kind, _, name = text.partition("=")
    if kind not in WRITERS or not name:
        raise ParameterError(f"--export {text!r}: give FORMAT=FILE, of {', '.join(WRITERS)}")
    path = expanded(name)  # zsh leaves the ~ of mot=~/tracks.txt to us
    try:  # now: at the end it would be too late
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise ParameterError(_no_export(path, error)) from error
    return kind, path


def _keep_apart(options: LiveOptions, exports: Sequence[tuple[str, Path]]) -> None:
    """Refuse a file that would be written over one that is read, or over another one."""
    taken = [(Path(options.source), "the video that is read, which would be lost")]
    if options.starts:
        taken.append((Path(options.starts), "the file of --starts, which would be lost"))
    written = [("--output", Path(options.output))] if options.output else []
    for option, path in [*written, *(("--export", path) for _, path in exports)]:
        for other, what in taken:
            if _same_file(path, other):
                raise ParameterError(f"{option} {str(path)!r} is {what}; give another name")
        taken.append((path, f"the file of {option} already"))


def _same_file(path: Path, other: Path) -> bool:
    """Whether two names are of one file: of another case, too, where the disk ignores it."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one is not there, or is an address
        return path.resolve() == other.resolve()


def _no_export(path: Path, error: OSError) -> str:
    reason = error.strerror or error
    return f"--export: {str(path)!r} cannot be written ({reason}); name another file"


def _write_export(kind: str, path: Path, rows: Sequence[TrackRow]) -> None:
    try:
        with atomic_open(path) as stream:
            stream.write(WRITERS[kind](rows))
    except OSError as error:
        raise ResultsError(_no_export(path, error)) from error


def _save(recording: Recording) -> None:
    files = recording.save()
    if files:
        _say(f"results: {files[-1].parent} ({len(files)} files)")


def _written(view: View, overlay: bool) -> NDArray[np.uint8]:
    if overlay:
        return view.picture
    return annotate(view.image, view.marks, low_score=view.low_score)


def frame_bar(frames: int | None, stack: ExitStack, leave: bool = True) -> Any:
    """A bar with the time left, where it can be shown: under pythonw there is no stderr."""
    if sys.stderr is None:
        return None
    try:
        from tqdm import tqdm
    except ImportError:  # an installation for robots, see docs/small-computers.md
        return None
    return stack.enter_context(tqdm(total=frames, unit="frame", file=sys.stderr, leave=leave))


def _progress(
    source: CaptureSource | ImageSource, stack: ExitStack
) -> list[Callable[[View], object]]:
    """The bar with the scores, where there is one."""
    bar = frame_bar(source.length, stack)
    if bar is None:
        return []

    def advance(view: View) -> None:
        if view.marks:
            scores = ", ".join(f"{mark.score:.2f}" for mark in view.marks)
            bar.set_postfix_str(f"score {scores}", refresh=False)
        bar.update()

    return [advance]


def _report(summary: Summary, source: CaptureSource | ImageSource, seconds: float) -> None:
    _say(
        f"{summary.frames} frame{'s' * (summary.frames != 1)} in {seconds:.1f} s; "
        f"{summary.tracked} with a target, "
        f"{summary.fps:.1f} fps of tracking alone"
    )
    if breaks_off(summary.frames, source.length) and summary.ended:
        _say(
            f"notice: {source.name} ended after {summary.frames} of the {source.length} frames it "
            "announces; the file may be cut off"
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
