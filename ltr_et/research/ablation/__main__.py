"""Train and measure the rows of the paper's tables, or cost against size.

python -m ltr_et.research.ablation TABLE [TABLE ...] --pairs 6000 --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pytracking_et import process
from pytracking_et.engines.catalogue import check_names
from pytracking_et.engines.select import require
from pytracking_et.errors import CheckpointError, DatasetError, ParameterError
from pytracking_et.settings import expanded

from ...settings import ONE_OR_MORE, Settings, Stage, check_numbers
from ...tracking_validation.clips import SETS
from ...tracking_validation.subjects import first_engine
from ...train_settings.sources import check_features, find_teacher, prepare, shared_folder

PROGRAM = "python -m ltr_et.research.ablation"

TABLES = ("components", "modules", "backbones", "exemplars", "queries")
SCALING = "scaling"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the tables and of `scaling`."""
    parser.add_argument(
        "tables",
        nargs="+",
        metavar="TABLE",
        choices=[*TABLES, SCALING],
        help=f"{', '.join(TABLES)} (several at once); or {SCALING}: cost of each module against "
        "the size of its input, nothing is trained",
    )
    parser.add_argument(
        "--pairs", type=int, default=6000, metavar="N", help="of each row and seed (default 6000)"
    )
    parser.add_argument(
        "--batch", type=int, default=8, metavar="N", help="pairs of a training step (default 8)"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], metavar="N", help="(default 0)"
    )
    parser.add_argument(
        "--rows", nargs="+", default=[], metavar="NAME", help="only these rows, in this order"
    )
    shared = shared_folder()
    parser.add_argument(
        "--sequences", type=Path, metavar="DIR", default=shared and shared / "sequences",
        help="folder of OTB100, UAV123 and WTRACK (default: ../shared/sequences)",
    )  # fmt: skip
    parser.add_argument(
        "--groups", nargs="*", choices=[*SETS], default=[*SETS],
        help="sets to evaluate on (default: all); none: train only, the same command with sets "
        "goes on from there",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="DIR", help="training pack (video/, still/)")
    parser.add_argument(
        "--crops", type=Path, metavar="DIR", help="crop store (default: OUTPUT/crops, built once)"
    )
    parser.add_argument(
        "--features", type=Path, metavar="DIR",
        help="cache of LT-Mobile's features: several times faster for rows with its backbone",
    )  # fmt: skip
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="LT-Mobile's weights")
    parser.add_argument(
        "--backbone", action="append", default=[], metavar="NAME=FILE",
        help="weights that a backbone starts from, e.g. resnet18=resnet18-f37072fd.pth",
    )  # fmt: skip
    parser.add_argument(
        "--measure", action="store_true",
        help="latency and memory of all trained rows and nothing else (on a quiet machine)",
    )  # fmt: skip
    parser.add_argument(
        "--engine", help="for evaluation and latency (default: the fastest installed)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (1)")
    parser.add_argument(
        "--output", type=Path, default=Path("evaluation_results/ablation"), metavar="DIR",
        help="tables, log and checkpoints (default: %(default)s)",
    )  # fmt: skip
    scaling = parser.add_argument_group("scaling")
    scaling.add_argument("--sides", type=int, nargs="+", default=[16, 24, 32, 48, 64])
    scaling.add_argument("--repeats", type=int, default=7)


def run(args: argparse.Namespace, words: Sequence[str]) -> int:
    """Run rows and write tables; 1 where a row failed or is left to another process.

    Args:
        args: of `add_arguments`.
        words: the same as typed, for the tables.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    command = f"{PROGRAM} {shlex.join(words)}"
    # What a mistyped argument would cost is a night: everything is looked at first.
    check_numbers("--", vars(args), dict.fromkeys(("pairs", "batch", "threads"), ONE_OR_MORE))
    if args.engine is not None:
        check_names(args.engine, "f32", args.threads)
        if args.engine != "auto":
            require(args.engine)
    if SCALING in args.tables:
        if len(args.tables) > 1:
            raise ParameterError(f"{SCALING!r} is measured alone; ask for the tables in a second")
        from .scaling import run as run_scaling

        return run_scaling(args.sides, args.repeats, args.threads, args.output, command)
    from .run import Plan, measure
    from .run import run as run_tables
    from .training import Recipe

    if args.groups and (args.sequences is None or not args.sequences.is_dir()):
        raise DatasetError(f"no folder {args.sequences or '../shared/sequences'}; give --sequences")
    backbones = _backbones(args.backbone)
    crops, teacher = _inputs(args)
    recipe = Recipe(
        args.pairs, args.output, crops, teacher, args.features, backbones, args.threads, args.batch
    )
    plan = Plan(
        args.tables, recipe, args.sequences or Path(), args.groups, args.rows, tuple(args.seeds),
        command, args.engine or first_engine(), args.threads,
    )  # fmt: skip
    return measure(plan) if args.measure else run_tables(plan)


def _named_files(assignments: list[str]) -> dict[str, Path]:
    found = {}
    for assignment in assignments:
        name, equals, path = assignment.partition("=")
        if not equals or not name or not path:
            raise ParameterError(f"{assignment!r} is not of the form NAME=PATH")
        found[name] = _existing(expanded(path))
    return found


def _backbones(assignments: list[str]) -> dict[str, Path]:
    """Weights by backbone, of those that a row has and that are not LT-Mobile's."""
    from .report import rows
    from .training import backbone_of, is_given

    every = {row.configuration for table in TABLES for row in rows(table)}
    known = sorted({backbone_of(name) for name in every if not is_given(name)})
    found = _named_files(assignments)
    for name in found:
        if name not in known:
            raise ParameterError(f"--backbone {name}=...: no such row; one of {', '.join(known)}")
    return found


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DatasetError(f"'{path}' does not exist")
    return path


def _inputs(args: argparse.Namespace) -> tuple[Path, Path]:
    """Crop store and LT-Mobile's weights; the store is built where it is missing."""
    settings = Settings(
        workspace=args.output, data=args.data, crops=args.crops, teacher=args.teacher,
        stages=[Stage("ablation", 32, source="crops")],
    )  # fmt: skip
    teacher = find_teacher(settings)
    if teacher is None:
        raise CheckpointError(
            "no LT-Mobile weights; give them with --teacher (rows with its backbone start from "
            "them)"
        )
    if args.features is not None:
        check_features(_existing(args.features), teacher)
    prepare(settings, teacher=False)
    assert settings.crops is not None
    return settings.crops, teacher


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code (2: something the user can mend)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=(__doc__ or "").split("\n")[0], allow_abbrev=False
    )
    add_arguments(parser)
    args = parser.parse_args(words)
    return process.run(PROGRAM, lambda: run(args, words), lambda: "the same command goes on")


if __name__ == "__main__":
    raise SystemExit(main())
