"""One tracker's results folder during a run: what is there, what is to do, what comes in."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..boxes import unusable
from ..errors import DatasetError, ResultsError
from ..files import sha256
from ..machine import describe_machine
from ..names import clash, is_case_blind
from ..results import files as results
from ..results.description import Pictures
from ..results.files import run_lock
from ..results.manifest import Manifest, describe_parameters, fingerprint
from ..tracker import plugins
from .sequence import cached_listing
from .tracker import Tracker
from .units import Outcome, Unit

LOG_FILE = "failures.log"


@dataclass
class Report:
    """How a run went: names as `sequence (tracker/parameter)`."""

    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # finished by an earlier run
    failed: dict[str, str] = field(default_factory=dict)  # name -> one line
    logs: list[str] = field(default_factory=list)  # files with the tracebacks
    frames: int = 0
    seconds: float = 0.0  # wall time
    complete: dict[str, list[str]] = field(default_factory=dict)  # results_dir -> sequences

    def finished(self, tracker: Tracker) -> list[str]:
        """Names of the sequences whose results are complete in the tracker's folder."""
        return self.complete.get(tracker.results_dir, [])

    def summary(self) -> str:
        """A few lines for people; names every failure."""
        rate = f" ({self.frames / self.seconds:.1f} frames/s)" if self.frames else ""
        lines = [
            f"{len(self.done)} sequences tracked, {len(self.kept)} kept from earlier runs, "
            f"{len(self.failed)} failed; {self.frames} frames in {self.seconds:.1f} s{rate}"
        ]
        lines += [f"  FAILED {name}: {line}" for name, line in self.failed.items()]
        lines += [f"  tracebacks: {path}" for path in self.logs]
        return "\n".join(lines)


class RunFolder:
    """One tracker's results folder, locked: what is there, what is to do, what came in.

    Made before it is locked: a tracker that cannot be built must leave no folder behind.

    Args:
        tracker: whose results_dir it is.
        report: gets what happens.
        threads: processor threads the tracker will have; None: its default.
        resume: keep sequences finished with the same settings.
    """

    def __init__(self, tracker: Tracker, report: Report, threads: int | None, resume: bool):
        self.folder = Path(tracker.results_dir)
        self.report = report
        self.resume = resume
        self.start = time.perf_counter()
        self.failed: dict[str, str] = {}
        self.pictures: Mapping[str, Pictures] = {}
        self.manifest = self._open_manifest(tracker)
        self.tracker, self.settings, self.fingerprint = settle(
            tracker, threads, self.manifest if resume else None
        )
        self._look = cached_listing()
        self._held = ExitStack()
        self._begun = False

    def _open_manifest(self, tracker: Tracker) -> Manifest:
        return Manifest.open(self.folder, tracker.name, tracker.parameter_name, tracker.run_id)

    def lock(self) -> RunFolder:
        """Take the folder for this process until `close`.

        Raises:
            ResultsError: another run has it, or it cannot be written.
        """
        self._held.enter_context(run_lock(self.folder))
        try:
            results.remove_leftovers(self.folder)
            self.manifest = self._open_manifest(self.tracker)
        except BaseException:
            self._held.close()
            raise
        return self

    def refuse_clashes(self, names: Iterable[str]) -> None:
        """Before anything is written: no two of the sequences may share a file.

        Nor may one of them and one of an earlier run: `a_time` would replace the times of `a`.

        Raises:
            ResultsError: names both.
        """
        new = list(names)
        spelt = {name.casefold() for name in new}
        # The same sequence of another data set is only warned of, in `plan`.
        old = [name for name in self.manifest.content["sequences"] if name.casefold() not in spelt]
        both = clash(new, old, results.SUFFIXES, is_case_blind(self.folder))
        if both:
            raise ResultsError(
                f"sequences {both[0]!r} and {both[1]!r} would write the same files in "
                f"{self.folder}; rename one, or run it alone with --results or --runid"
            )

    def refuse_foreign(self, names: Iterable[str]) -> None:
        """Before anything is written: results of another program are not replaced without a word.

        Ours have sub-pixel boxes beside them, also where a run was killed before its entry in the
        manifest.

        Raises:
            ResultsError: the manifest knows nothing of a box file.
        """
        if not self.resume:
            return
        unknown = [name for name in names if name not in self.manifest.content["sequences"]]
        paths = {name: results.result_paths(self.folder, name) for name in unknown}
        foreign = [n for n, p in paths.items() if p["boxes"].is_file() and not p["float"].is_file()]
        if foreign:
            raise ResultsError(
                f"{self.folder} holds results that were not made here, of {len(foreign)} "
                f"sequences: {', '.join(foreign[:8])}{' ...' if len(foreign) > 8 else ''}; name "
                "another folder with --results, or a run with --runid, to keep them, or replace "
                "them with --no-resume"
            )

    def plan(
        self,
        sequences: list[Any],
        pictures: Mapping[str, Pictures],
        debug: int,
        processes: int | str,
    ) -> list[Unit]:
        """Units still to run. Writes the manifest, so a full disk is found before hours of work."""
        units, others = [], []
        self.pictures = pictures
        for sequence in sequences:
            unit = self._unit(sequence, debug)
            if unit is None:
                continue
            done = self.resume and self.manifest.is_done(
                unit.sequence, self.fingerprint, unit.dataset, len(unit.frames), unit.init_box
            )
            if done and not self._shows(unit.sequence):
                done = False
                others.append(unit.sequence)
            if done:
                self.report.kept.append(str(unit))
                self._complete(unit)
            elif not self._has_missing_files(sequence, unit):
                units.append(unit)
        if units and self.resume and self.manifest.engine_of(self.settings["asked"]):
            # An earlier run's may be missing on this machine: said once, not by each sequence.
            self.tracker.chosen_engine(self.tracker.get_parameters())
        self._warn_of_namesakes(units)
        self._warn_of_others(others)
        settings = {**self.settings, "processes": processes}
        self.manifest.begin(self.fingerprint, settings, tracking=bool(units))
        self._begun = True
        self.manifest.write()
        return units

    def _warn_of_namesakes(self, units: list[Unit]) -> None:
        before: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.manifest.content["sequences"].items():
            before.setdefault(name.casefold(), []).append((name, entry.get("dataset", "")))
        replaced = [
            (unit, name, dataset)
            for unit in units
            for name, dataset in before.get(unit.sequence.casefold(), [])
            if dataset not in ("", unit.dataset) and self._one_file(name, unit.sequence)
        ]
        if replaced:
            first, name, dataset = replaced[0]
            warnings.warn(
                f"{self.folder}: {len(replaced)} results of other data sets are replaced by "
                f"sequences of the same name ({name!r} of {dataset!r} by {first.sequence!r} of "
                f"{first.dataset!r}); use --results or --runid to keep both",
                stacklevel=4,
            )

    def _shows(self, name: str) -> bool:
        """Whether finished results are of the pictures there are now."""
        entry, pictures = self.manifest.content["sequences"][name], self.pictures[name]
        if not pictures.are(entry.get("pictures")):
            return False
        if pictures.by_content and pictures.stat is not None:
            entry["pictures"] = pictures.entry()
        return True

    def _warn_of_others(self, names: list[str]) -> None:
        if names:
            entry = self.manifest.content["sequences"][names[0]].get("pictures")
            then = f"those of {entry.get('root')}" if entry else "not known"
            warnings.warn(
                f"{self.folder}: the pictures of {len(names)} finished sequences are others than "
                f"the results', or were touched since, so they are tracked again: {names[0]!r}, "
                f"now in {self.pictures[names[0]].root}, then {then}. --by-content records and "
                "compares what is in the frames",
                stacklevel=4,
            )

    def _one_file(self, name: str, other: str) -> bool:
        """Whether two names share result files; Basketball and basketball do on some systems."""
        paths = [self.folder / f"{each}.txt" for each in (name, other)]
        return name == other or (all(p.exists() for p in paths) and paths[0].samefile(paths[1]))

    def _unit(self, sequence: Any, debug: int) -> Unit | None:
        unit = Unit(
            self.tracker.spec,
            self.tracker.run_id,
            sequence.dataset,
            sequence.name,
            (),
            (),
            debug,
            (self.settings["weights"] or {}).get("sha256", ""),
        )
        try:
            box = sequence.init_info().get("init_bbox")
            if isinstance(box, Mapping):
                raise DatasetError("has several targets; make one Sequence of each")
            if not len(sequence.frames):
                raise DatasetError("has no frames")
            if box is None or len(box) != 4 or unusable(box)[0]:
                shown = box if box is None else [float(value) for value in box]
                raise DatasetError(
                    f"its first box is {shown}, which nobody can track; the annotation must begin "
                    "on a frame with the target"
                )
            frames = tuple(str(frame) for frame in sequence.frames)
        except DatasetError as error:
            self._fail(str(unit), str(error), "")
            return None
        return replace(unit, frames=frames, init_box=tuple(float(value) for value in box))

    def _has_missing_files(self, sequence: Any, unit: Unit) -> bool:
        try:
            missing = sequence.missing_files(self._look)
        except DatasetError as error:
            self._fail(str(unit), str(error), "")
            return True
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            self._fail(str(unit), f"missing {missing[0]}{more}", "\n".join(missing))
        return bool(missing)

    def _complete(self, unit: Unit) -> None:
        self.report.complete.setdefault(self.tracker.results_dir, []).append(unit.sequence)

    def enter(self, unit: Unit, outcome: Outcome) -> None:
        """Write what came in: results and their manifest entry, or the failure and its log."""
        if outcome.result is None:
            self._fail(str(unit), outcome.message, outcome.traceback)
            return
        if len(outcome.result.boxes) != len(unit.frames):
            count = len(outcome.result.boxes)
            self._fail(str(unit), f"{count} boxes for {len(unit.frames)} frames", "")
            return
        results.save(self.folder, unit.sequence, outcome.result)
        self.manifest.record(
            unit.sequence,
            self.fingerprint,
            unit.dataset,
            unit.init_box,
            outcome.result.times,
            self.pictures[unit.sequence].entry(),
        )
        self.manifest.write()
        self.report.done.append(str(unit))
        self._complete(unit)
        self.report.frames += len(unit.frames)

    def _fail(self, name: str, line: str, traceback: str) -> None:
        self.failed[name] = self.report.failed[name] = line
        log = self.folder / LOG_FILE
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        try:
            with log.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
                stream.write(f"=== {when} {name}: {line}\n{traceback.rstrip()}\n\n")
        except OSError as error:
            raise results.unwritable(self.folder, error) from error
        if str(log) not in self.report.logs:
            self.report.logs.append(str(log))

    def close(self) -> None:
        """Enter the wall time and let go of the folder."""
        if hasattr(self.tracker.visdom, "close"):
            self.tracker.visdom.close()
        with self._held:
            if self._begun:
                seconds = time.perf_counter() - self.start
                finished = {*self.report.done, *self.report.kept}
                self.manifest.end(self.fingerprint, seconds, self.failed, finished)
                self.manifest.write()


def settle(
    tracker: Tracker, threads: int | None, earlier: Manifest | None
) -> tuple[Tracker, dict[str, Any], str]:
    """Decide what may differ between machines and moments, once, for all workers.

    An engine "auto" is the fastest one measured, and engines differ in the last decimals: were it
    left to each worker, the boxes would depend on who ran a sequence. The choice of an earlier run
    with the same settings is kept.

    Returns:
        The tracker with its engine and precision decided, the entry for the manifest, and the
        fingerprint of both.
    """
    settled = copy.copy(tracker)
    settled.spec = replace(tracker.spec, threads=tracker.spec.threads or threads)
    params = settled.get_parameters()
    weights = settled.weights_file(params)
    digest = sha256(weights) if weights is not None else tracker.spec.checkpoint or ""
    names = (tracker.name, tracker.parameter_name)
    code = plugins.code_digest(tracker.name)
    asked = fingerprint(*names, describe_parameters(params), digest, code)
    kept = earlier.engine_of(asked) if earlier is not None else None
    engine, precision = kept or settled.chosen_engine(params)
    settled.spec = replace(settled.spec, engine=engine, precision=precision)
    described = describe_parameters(settled.get_parameters())
    settings = {
        "asked": asked,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "parameters": {k: v for k, v in described.items() if k != "checkpoint"},
        "engine": engine,
        "precision": precision,
        # Names, not paths: manifests are published with the results.
        "weights": None if weights is None else {"file": weights.name, "sha256": digest},
        "code": code,
        **describe_machine(),
    }
    return settled, settings, fingerprint(*names, described, digest, code)
