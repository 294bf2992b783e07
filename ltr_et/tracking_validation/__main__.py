"""Choose weights, constants and peers' ranks by tracking.

    python -m ltr_et.tracking_validation WEIGHTS [WEIGHTS ...] [--quick]
    python -m ltr_et.tracking_validation WEIGHTS --grid "search_size=256,224 penalty_k=0.01,0.02"
    python -m ltr_et.tracking_validation WEIGHTS --peers ../shared/peers --log choices.jsonl

Validation IoU of pairs does not predict tracking; this does. A change counts where it gains on the
mean by more than twice its standard error ("better" in the last column); a single column or
sequence is luck. Every row is compared with the first one.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pytracking_et import process
from pytracking_et.errors import DatasetError, ParameterError
from pytracking_et.files import cache_folder
from pytracking_et.network import weights
from pytracking_et.tracking.parameters import Parameters

from .. import jsonl
from ..settings import ONE_OR_MORE, check_numbers, value_of
from ..train_settings.sources import shared_folder
from . import table
from .clips import SETS, TRACKS, Clip, sequences, tracks
from .measure import Memory, Run, measure
from .subjects import Subject, Weights, first_engine, peers


def parse_grid(assignments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Combinations of `name=value,value,...` arguments; one empty combination for none.

    Names within one argument, separated by blanks, step together.

    Raises:
        ParameterError: no such constant, not of that form, or lists of different lengths.
    """
    axes: list[list[dict[str, Any]]] = []
    for assignment in assignments:
        listed = dict(_values(part) for part in assignment.split())
        if len({len(values) for values in listed.values()}) != 1:
            raise ParameterError(f"grid {assignment!r}: give each name as many values")
        steps = zip(*listed.values(), strict=True)
        axes.append([dict(zip(listed, step, strict=True)) for step in steps])
    for combination in itertools.product(*axes):
        yield {name: value for part in combination for name, value in part.items()}


def _values(assignment: str) -> tuple[str, list[Any]]:
    name, equals, text = assignment.partition("=")
    if not equals or name not in Parameters.names():
        names = ", ".join(Parameters.names())
        raise ParameterError(f"{assignment!r} is not NAME=VALUE,...; names: {names}")
    return name, [value_of(part) for part in text.split(",")]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    assert __doc__ is not None
    summary, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m ltr_et.tracking_validation", description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    shared = shared_folder()
    add("weights", nargs="*", type=Path, help="weight files to compare")
    text = "folder of OTB100, UAV123 and WTRACK (default: ../shared/sequences)"
    add("--sequences", type=Path, default=shared and shared / "sequences", help=text)
    text = "training pack, with video/ (default: ../shared/train)"
    add("--data", type=Path, default=shared and shared / "train", help=text)
    every = [*SETS, TRACKS]
    add("--groups", nargs="+", choices=every, default=every, help="what is tracked (default: all)")
    add("--part", choices=("held_out", "train", "all"), default="held_out", help="of the tracks")
    add("--sources", nargs="*", help="only tracks of these, e.g. davis2016 mot_dense")
    add("--quick", action="store_true", help="leave out the runs from changed first boxes")
    add("--whole", action="store_true", help="leave out the restarts")
    add("--peers", type=Path, help="folder of the peers' ONNX files, e.g. ../shared/peers")
    add("--parameter", default="et_tracker", help="parameter file of the constants")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="loop constant, all rows")
    text = "a row for each value; several make all combinations, names in one step together"
    add("--grid", action="append", default=[], metavar="NAME=V1,V2", help=text)
    add("--network", help="configuration, where the file does not tell")
    add("--engine", help="torch, onnx or openvino (default: the fastest installed), float32")
    add("--threads", type=int, default=1, help="of the engine (default 1)")
    add("--processes", type=int, default=1, help="that track at the same time (default 1)")
    text = "file of finished runs, which are not tracked again (default: in the cache folder)"
    add("--cache", type=Path, help=text)
    add("--log", type=Path, help="append each row to this file (JSON lines)")
    return parser.parse_args(arguments)


def chosen_clips(options: argparse.Namespace) -> list[Clip]:
    """Clips of the groups asked for.

    Raises:
        DatasetError: a folder is not there.
    """
    found = []
    names = [name for name in SETS if name in options.groups]
    if names:
        root = _folder(options.sequences, "--sequences", "OTB100, UAV123")
        found += sequences(root, names, not options.whole)
    if TRACKS in options.groups:
        found += tracks(_folder(options.data, "--data", "video/"), options.part, options.sources)
    return found


def _folder(path: Path | None, option: str, content: str) -> Path:
    if path is None or not path.is_dir():
        raise DatasetError(
            f"no folder {path or '../shared'}; name the one that holds {content} with {option}, or "
            "choose what is tracked with --groups"
        )
    return path


def chosen_subjects(options: argparse.Namespace) -> list[Subject]:
    """Rows of the table.

    Raises:
        ParameterError: neither weights nor peers, or constants that cannot be.
    """
    engine = options.engine or first_engine()
    fixed, *more = parse_grid(options.set)
    if more:
        raise ParameterError(f"--set {' '.join(options.set)} has several values; use --grid")
    paths = [weights.find(options.network or "et_tracker", path) for path in options.weights]
    stems = [path.stem for path in paths]
    found: list[Subject] = []
    for path in paths:
        # Every training ends in a file of the same name.
        name = path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}/{path.stem}"
        for changes in parse_grid(options.grid):
            constants = fixed | changes
            label = " ".join([name, *(f"{key}={value}" for key, value in constants.items())])
            one = Weights(
                label, path, options.parameter, constants, engine, options.threads, options.network
            )
            one.constants()
            found.append(one)
    if options.peers is not None:
        found += peers(options.peers, engine, options.threads)
    if not found:
        raise ParameterError("nothing to compare: give weight files, or --peers")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the table; one line on stderr for each clip tracked."""
    options = parse(arguments)
    return process.run("ltr_et.tracking_validation", lambda: _main(options))


def _main(options: argparse.Namespace) -> int:
    check_numbers("--", vars(options), dict.fromkeys(("threads", "processes"), ONE_OR_MORE))
    clips, subjects = chosen_clips(options), chosen_subjects(options)
    cache = options.cache or cache_folder() / "tracking_validation.jsonl"
    for path in filter(None, (cache, options.log)):
        jsonl.touch(path)
    starts, memory = partial(Clip.starts, quick=options.quick), Memory(cache)
    rows: dict[str, list[Run]] = {}
    for subject in subjects:
        began = time.perf_counter()
        runs = measure(subject, clips, starts, memory, options.processes, _tell)
        label = subject.label if subject.label not in rows else f"{subject.label} {len(rows)}"
        rows[label] = runs
        seconds = time.perf_counter() - began
        listing = "  ".join(f"{name} {value:.1f}" for name, value in table.sources(runs).items())
        mean = table.summary(runs)[table.MEAN].mean
        print(f"{mean:5.2f}  {label}  {listing}  ({seconds:.0f} s)", flush=True)
        if options.log is not None:
            # "auc" is what the curves of a training draw (`ltr_et.training.log.plot`).
            about = {"auc": round(mean, 2), "part": options.part}
            record = {"kind": "tracking", **subject.record(), **about, **table.record(runs)}
            jsonl.append(options.log, record)
    print("\n" + table.markdown(rows))
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
