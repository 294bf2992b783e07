"""`auto`: measure the engines that are installed, check them, remember the fastest."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import EngineError
from ..files import atomic_open
from . import cache, host, ranges
from .base import Runtime
from .exported import REFERENCE, Reference, agrees
from .prepare import exported
from .select import ENGINES, PRECISIONS, installed, open_runtime, require

# Runs of each engine: the first few allocate and decide on kernels.
WARM_UP, RUNS = 3, 9
# What runs where nothing can be exported.
TORCH = ("torch", "f32")
# Where most searches take so much longer than the quickest, something disturbed them. After so many
# starts the least times of all of them hold: some machines are never steady.
STEADY, STARTS = 1.25, 3
REMEDY = "'ettrack benchmark --again' measures again"


def candidates(engine: str, precision: str, path: Path, digest: str) -> list[tuple[str, str]]:
    """Engines and precisions to try with a weight file, most promising first."""
    names = [name for name in ENGINES if engine in ("auto", name) and installed(name)]
    kinds = [precision]
    if precision == "auto":
        kinds = [kind for kind in PRECISIONS if _worth_trying(kind, path, digest)]
    return [(name, kind) for name in names for kind in ENGINES[name][2] if kind in kinds]


def _worth_trying(precision: str, path: Path, digest: str) -> bool:
    """float32 always; others where the CPU computes in them.

    int8 graphs are made by ONNX Runtime, whoever runs them, from measured ranges.
    """
    if not host.computes_in(precision):
        return False
    return precision != "int8" or (installed("onnx") and ranges.find(path, digest) is not None)


def signature(tried: list[tuple[str, str]], threads: int | None) -> dict[str, Any]:
    """What a remembered choice depends on."""
    packages = sorted({ENGINES[name][1] for name, _ in tried})
    return {
        "candidates": [list(pair) for pair in tried],
        "versions": {name: host.package_version(name) for name in packages},
        "cpu": host.cpu_name(),
        "cpus": host.cpu_count(),
        "threads": threads,
        "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "exporter": importlib.util.find_spec("onnx") is not None,
    }


def choose(
    engine: str,
    precision: str,
    network: str,
    path: Path,
    digest: str,
    threads: int | None,
    again: bool = False,
) -> Runtime:
    """The fastest runtime that agrees with the network, measured once and then remembered.

    A choice that was made while other programs disturbed it holds until a quieter start.

    Args:
        engine, precision, network, path, digest, threads: as in `select`.
        again: measure whatever is remembered.

    Raises:
        EngineError: none of the candidates works; says why of each.
    """
    tried = candidates(engine, precision, path, digest)
    if not tried:
        if engine != "auto":
            require(engine)
        raise EngineError(
            f"no installed engine for engine={engine!r}, precision={precision!r}; installed: "
            f"{', '.join(name for name in ENGINES if installed(name)) or 'none'}"
        )
    wanted = signature(tried, threads)
    file = _choice_file(network, digest, wanted)
    remembered = None if again else _read(file)
    if remembered is not None and (remembered.quiet or host.is_busy()):
        try:
            runtime = open_runtime(*remembered.pair, network, path, digest, threads)
        except EngineError as error:
            cache.notice(f"remembered engine {remembered.pair[0]} fails, choosing again: {error}")
        else:
            when = "" if remembered.quiet else " on a busy machine, again when it is quiet"
            name = " ".join(remembered.pair)
            cache.notice(f"engine {name}, chosen earlier{when} ({REMEDY})")
            return runtime
    if len(tried) == 1:
        return open_runtime(*tried[0], network, path, digest, threads)
    earlier = None if again else remembered
    return _measure(tried, network, path, digest, threads, file, wanted, earlier)


def _choice_file(network: str, digest: str, wanted: dict[str, Any]) -> Path:
    key = json.dumps([network, digest, wanted], sort_keys=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache.engines_folder() / "choices" / f"{name}.json"


class Choice(NamedTuple):
    """What is remembered.

    Attributes:
        pair: engine and precision.
        quiet: whether it holds, because nothing disturbed the measurement or it was repeated.
        starts: how many measured.
        milliseconds: least of a search, by engine and precision.
    """

    pair: tuple[str, str]
    quiet: bool
    starts: int
    milliseconds: Mapping[str, float]


def _read(file: Path) -> Choice | None:
    try:
        stored = json.loads(file.read_text("utf-8"))
        engine, precision = stored["engine"], stored["precision"]
        least = {str(name): float(value) for name, value in stored["milliseconds"].items()}
        choice = Choice((engine, precision), bool(stored["quiet"]), int(stored["starts"]), least)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        cache.notice(f"remembered choice {file} is damaged ({error}); choosing again")
        return None
    known = engine in ENGINES and precision in ENGINES[engine][2]
    return choice if known else None


def _measure(
    tried: list[tuple[str, str]],
    network: str,
    path: Path,
    digest: str,
    threads: int | None,
    file: Path,
    wanted: dict[str, Any],
    earlier: Choice | None,
) -> Runtime:
    try:
        reference = _reference(network, path, digest, tried[0][1])
    except EngineError as error:
        if TORCH not in tried:
            raise
        cache.notice(f"torch is used, about half as fast as it could be: {error}")
        return open_runtime(*TORCH, network, path, digest, threads)
    runtimes: dict[tuple[str, str], Runtime] = {}
    failures = {}
    for pair in tried:
        try:
            runtime = open_runtime(*pair, network, path, digest, threads)
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
    busy = host.is_busy()
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
    record = {
        "engine": chosen[0],
        "precision": chosen[1],
        "quiet": quiet,
        "starts": starts,
        "milliseconds": measured,
    }
    try:
        with atomic_open(file) as stream:
            json.dump({**record, "failures": failures, **wanted}, stream, indent=2)
    except OSError as error:
        cache.notice(f"the choice is not kept, the next start measures again: {error}")
    return runtimes[chosen]


def _reference(network: str, path: Path, digest: str, precision: str) -> Reference:
    """What the plain network answers, at any precision; EngineError where nothing is exported."""
    folder, _ = exported(network, path, digest, precision)
    return Reference.read(folder / REFERENCE)


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
