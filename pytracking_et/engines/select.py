"""From a name to an engine; each is opened once per process and shared by all its targets.

"auto": the installed engines are measured and checked, and the fastest is remembered.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import EngineError, pip_line
from ..files import atomic_open, read_json, reading, remove_old
from ..machine import cores, cpu_name, package_version
from ..network.weights import EXPORT
from . import cache, catalogue
from .base import Runtime, TargetEngine
from .catalogue import ENGINES, PRECISIONS, READERS, Model, check_names, installed
from .export import cached_graphs
from .int8 import find_ranges
from .package import REFERENCE, Reference, agrees, check

# Runs of each engine: the first few allocate and decide on kernels.
WARM_UP, RUNS = 3, 9
# What runs where nothing can be exported.
TORCH = ("torch", "f32")
# Where most searches take so much longer than the quickest, something disturbed them. After so many
# starts the least times of all of them hold: some machines are never steady.
STEADY, STARTS = 1.25, 3
REMEDY = "'ettrack benchmark --again' measures again"
# Threads that start together wait for the first, and share what it opens.
_OPENING = threading.RLock()


def create(
    engine: str = "auto",
    network: str = "et_tracker",
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    precision: str = "auto",
) -> TargetEngine:
    """Open an engine for a network and its weights.

    Args:
        engine: a name in `catalogue.ENGINES`, or "auto": the fastest here that agrees with the
            network.
        network: configuration name.
        checkpoint: weight file, or a folder that `ettrack export` wrote, which needs no torch; None
            searches (see `network.weights.places`).
        threads: CPU threads of this process; None leaves the library's default.
        precision: a name in `catalogue.PRECISIONS` where the engine has it, or "auto": the
            fastest that keeps the accuracy.

    Raises:
        CheckpointError: no weights, or they do not fit.
        EngineError: unknown or unavailable engine or precision.
    """
    check_names(engine, precision, threads)
    threads = None if threads is None else int(threads)  # np.int64 is no JSON
    model = Model.find(network, checkpoint)
    with _OPENING:
        return _open(engine, model, threads, precision).clone()


def require(engine: str) -> None:
    """Refuse an engine whose package is missing.

    Raises:
        EngineError: names the line that installs it.
    """
    if not installed(engine):
        raise EngineError(
            f"the engine {engine!r} needs the package {ENGINES[engine].package}, which is not "
            f"installed; {pip_line(ENGINES[engine].extra)}, or use --engine torch"
        )


@lru_cache(maxsize=8)
def _open(engine: str, model: Model, threads: int | None, precision: str) -> TargetEngine:
    if model.path.name == EXPORT:
        runtime = open_export(engine, precision, model, threads)
    elif engine == "auto" or precision == "auto":
        runtime = choose(engine, precision, model, threads)
    else:
        runtime = open_runtime(engine, precision, model, threads)
    return TargetEngine(runtime)


def open_runtime(engine: str, precision: str, model: Model, threads: int | None) -> Runtime:
    """Open one engine at one precision; exports first where the cache lacks it.

    Raises:
        EngineError: not installed, or it cannot run this network.
    """
    require(engine)
    if engine == "torch":
        return catalogue.module(engine).open_file(model, threads)
    folder, metadata = cached_graphs(model, precision)

    def add(kind: str, side: int) -> None:
        from .inference.tracing import add_graph

        try:
            add_graph(model, folder, kind, side)
        except OSError as error:
            raise EngineError(
                f"the graph for crops of {side} pixels cannot be added to {folder} ({error}); "
                "name another cache with PYTRACKING_ET_CACHE"
            ) from error

    opened = catalogue.module(engine).open_folder
    return opened(folder, metadata, threads, add, precision, folder / "compiled")


def open_export(engine: str, precision: str, model: Model, threads: int | None) -> Runtime:
    """Open graphs that `ettrack export` wrote, as they are.

    Args:
        engine: "auto" takes the first that is installed and reads their format.
        precision: "auto" takes theirs.
        model: its path is the folder's `metadata.json`.
        threads: as in `create`.

    Raises:
        EngineError: damaged, of another network, or nothing here runs them.
    """
    folder = model.path.parent
    metadata = check(folder)
    if metadata.network != model.network:
        raise EngineError(
            f"{folder} holds graphs of {metadata.network!r}, not of {model.network!r}; give the "
            "parameter file of that network"
        )
    wanted = metadata.precision if precision == "auto" else precision
    # bf16 is a way to run the graphs of f32.
    able = wanted == metadata.precision or (wanted, metadata.precision) == ("bf16", "f32")
    fit = [name for name in READERS.get(metadata.format, ()) if engine in ("auto", name)]
    fit = [name for name in fit if able and wanted in ENGINES[name].precisions]
    if not fit:
        raise EngineError(
            f"{folder} holds {metadata.format} graphs of precision {metadata.precision}, which "
            f"engine {engine!r} does not run at precision {precision!r} (evaluation asks for f32); "
            f"give --precision {metadata.precision}, and leave the engine at 'auto'"
        )
    there = [name for name in fit if installed(name)]
    if not there:
        require(fit[-1])
    # The folder is the user's; what is compiled for this machine goes to the cache.
    compiled = cache.engines_folder() / "compiled" / model.digest[:16]
    if not os.path.isdir(compiled):  # noqa: PTH112 - once an export is enough
        remove_old(compiled.parent, "*", cache.KEPT_FOR)
    opened = catalogue.module(there[0]).open_folder
    return opened(folder, metadata, threads, None, wanted, compiled)


def candidates(engine: str, precision: str, model: Model) -> list[tuple[str, str]]:
    """Engines and precisions to try with a model, most promising first."""
    names = [name for name in ENGINES if engine in ("auto", name) and installed(name)]
    kinds = [precision]
    if precision == "auto":
        kinds = [kind for kind in PRECISIONS if _worth_trying(kind, model)]
    return [(name, kind) for name in names for kind in ENGINES[name].precisions if kind in kinds]


def _worth_trying(precision: str, model: Model) -> bool:
    """float32 always; others where the CPU computes in them.

    int8 graphs are made by ONNX Runtime, whoever runs them, from measured ranges.
    """
    if not catalogue.computes_in(precision):
        return False
    return precision != "int8" or (installed("onnx") and find_ranges(model) is not None)


def signature(tried: list[tuple[str, str]], threads: int | None) -> dict[str, Any]:
    """What a remembered choice depends on."""
    packages = sorted({ENGINES[name].package for name, _ in tried})
    return {
        "candidates": [list(pair) for pair in tried],
        "versions": {name: package_version(name) for name in packages},
        "cpu": cpu_name(),
        "cpus": cores(),
        "threads": threads,
        "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "exporter": importlib.util.find_spec("onnx") is not None,
    }


def choose(
    engine: str, precision: str, model: Model, threads: int | None, again: bool = False
) -> Runtime:
    """The fastest runtime that agrees with the network, measured once and then remembered.

    A choice that was made while other programs disturbed it holds until a quieter start.

    Args:
        engine: as in `open_runtime`, or "auto".
        precision: as in `open_runtime`, or "auto".
        model: as in `open_runtime`.
        threads: as in `open_runtime`.
        again: measure whatever is remembered.

    Raises:
        EngineError: none of the candidates works; says why of each.
    """
    tried = candidates(engine, precision, model)
    if not tried:
        if engine != "auto":
            require(engine)
        raise EngineError(
            f"no installed engine for engine={engine!r}, precision={precision!r}; installed: "
            f"{', '.join(name for name in ENGINES if installed(name)) or 'none'}"
        )
    wanted = signature(tried, threads)
    file = _choice_file(model, wanted)
    remembered = None if again else _read(file)
    if remembered is not None and (remembered.quiet or catalogue.is_busy()):
        kept = remembered.engine, remembered.precision
        try:
            runtime = open_runtime(*kept, model, threads)
        except EngineError as error:
            cache.notice(f"remembered engine {kept[0]} fails, choosing again: {error}")
        else:
            when = "" if remembered.quiet else " on a busy machine, again when it is quiet"
            cache.notice(f"engine {' '.join(kept)}, chosen earlier{when} ({REMEDY})")
            return runtime
    if len(tried) == 1:
        return open_runtime(*tried[0], model, threads)
    earlier = None if again else remembered
    return _measure(tried, model, threads, file, wanted, earlier)


def _choice_file(model: Model, wanted: dict[str, Any]) -> Path:
    key = json.dumps([model.network, model.digest, wanted], sort_keys=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache.engines_folder() / "choices" / f"{name}.json"


class Choice(NamedTuple):
    """What is remembered, under the names of its file.

    Attributes:
        engine: the chosen one.
        precision: likewise.
        quiet: whether it holds, because nothing disturbed the measurement or it was repeated.
        starts: how many measured.
        milliseconds: least of a search, by engine and precision.
    """

    engine: str
    precision: str
    quiet: bool
    starts: int
    milliseconds: Mapping[str, float]


def _read(file: Path) -> Choice | None:
    if not os.path.exists(file):  # noqa: PTH110 - False, too, where it may not be entered
        return None
    try:
        with reading(file, EngineError, "choosing again"):
            stored = read_json(file, EngineError, "choosing again")
            engine, precision = stored["engine"], stored["precision"]
            if precision not in ENGINES[engine].precisions:
                raise ValueError(f"precision is {precision!r}")
            least = {name: float(value) for name, value in stored["milliseconds"].items()}
            return Choice(engine, precision, bool(stored["quiet"]), int(stored["starts"]), least)
    except EngineError as error:
        cache.notice(f"remembered choice: {error}")
        return None


def _measure(
    tried: list[tuple[str, str]],
    model: Model,
    threads: int | None,
    file: Path,
    wanted: dict[str, Any],
    earlier: Choice | None,
) -> Runtime:
    try:
        # What the plain network answers is the same at any precision.
        folder, _ = cached_graphs(model, tried[0][1])
        reference = Reference.read(folder / REFERENCE)
    except EngineError as error:
        if TORCH not in tried:
            raise
        cache.notice(f"torch is used, about half as fast as it could be: {error}")
        return open_runtime(*TORCH, model, threads)
    runtimes, failures = _agreeing(tried, model, threads, reference)
    busy = catalogue.is_busy()
    times = interleaved_times(runtimes, reference)
    starts = 1 if earlier is None else earlier.starts + 1
    quiet = starts >= STARTS or (not busy and steady(times))
    least = {pair: round(min(seconds) * 1000, 2) for pair, seconds in times.items()}
    if earlier is not None:
        least = {p: min(ms, earlier.milliseconds.get(" ".join(p), ms)) for p, ms in least.items()}
    chosen = min(least, key=lambda pair: least[pair])
    measured = {" ".join(pair): value for pair, value in least.items()}
    listing = ", ".join(f"{name} {value:.0f} ms" for name, value in measured.items())
    later = "" if quiet else "; others kept the machine busy, a quieter start measures again"
    cache.notice(f"engine {' '.join(chosen)} chosen ({listing} a frame{later})")
    choice = Choice(*chosen, quiet, starts, measured)
    try:
        with atomic_open(file) as stream:
            json.dump({**choice._asdict(), "failures": failures, **wanted}, stream, indent=2)
    except OSError as error:
        cache.notice(f"the choice is not kept, the next start measures again: {error}")
    return runtimes[chosen]


def _agreeing(
    tried: list[tuple[str, str]], model: Model, threads: int | None, reference: Reference
) -> tuple[dict[tuple[str, str], Runtime], dict[str, str]]:
    """Runtimes that answer as the plain network does, and what is wrong with the others."""
    runtimes: dict[tuple[str, str], Runtime] = {}
    failures: dict[str, str] = {}
    for pair in tried:
        try:
            runtime = open_runtime(*pair, model, threads)
            check_agreement(runtime, pair[1], reference)
            runtimes[pair] = runtime
        # Whatever a library raises here (no kernels for this GPU, a broken installation), the
        # others may work, and the notice says it.
        except Exception as error:
            text = str(error) if isinstance(error, EngineError) else f"{error!r}"
            failures[" ".join(pair)] = text
            cache.notice(f"engine {' '.join(pair)} is left out: {text}")
    if not runtimes:
        listing = "\n".join(f"  {name}: {text}" for name, text in failures.items())
        raise EngineError(f"no engine works here:\n{listing}")
    return runtimes, failures


def check_agreement(runtime: Runtime, precision: str, reference: Reference) -> None:
    """Compare a runtime with the plain network's answers.

    Raises:
        EngineError: the maps differ by more than the rounding of the precision.
    """
    difference = reference.difference(runtime)
    if not agrees(difference, precision):
        raise EngineError(
            f"its maps differ from the network's by {difference['score']:.2g} (score) and "
            f"{difference['distances']:.2g} px"
        )


def interleaved_times(
    runtimes: Mapping[tuple[str, str], Runtime], reference: Reference
) -> dict[tuple[str, str], list[float]]:
    """Seconds of searches of each runtime, measured in turns.

    In turns, and the least of them counts, because another program that runs meanwhile must not
    decide.
    """
    templates = {pair: runtime.template(reference.template) for pair, runtime in runtimes.items()}
    times: dict[tuple[str, str], list[float]] = {pair: [] for pair in runtimes}
    for _ in range(WARM_UP + RUNS):
        for pair, runtime in runtimes.items():
            started = time.perf_counter()
            runtime.track(templates[pair], reference.search)
            times[pair].append(time.perf_counter() - started)
    return {pair: values[WARM_UP:] for pair, values in times.items()}


def steady(times: Mapping[Any, Sequence[float]]) -> bool:
    """Whether most searches of every runtime took about as long as its quickest."""
    return all(statistics.median(each) <= STEADY * min(each) for each in times.values())
