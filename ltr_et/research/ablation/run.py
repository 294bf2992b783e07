"""Train, evaluate and measure the rows of tables; every training's figures are logged at once.

`log.jsonl` in the output folder has a line for each training (configuration and seed) that was
evaluated, and for each latency; it alone decides what is still to do, so that another machine goes
on from it without the weights.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from pytracking_et.errors import ParameterError, PytrackingETError
from pytracking_et.machine import cpu_name, git_revision, versions

from ... import jsonl
from ...data.crops import CropStore
from ...tracking_validation.clips import RESTARTED, Clip, Start, sequences
from ...tracking_validation.measure import Memory
from ...tracking_validation.measure import measure as track
from ...tracking_validation.subjects import Weights
from . import costs, report
from .report import MEAN, Context, Result, Row, rows
from .training import Recipe, asked_start, is_given, source_of, train_row, weights_of

log = logging.getLogger(__name__)

LOG = "log.jsonl"


@dataclass(frozen=True)
class Plan:
    """One call of `python -m ltr_et.research.ablation`.

    Attributes:
        tables: names.
        root: folder of the sequence sets.
        groups: sets to evaluate on; empty: rows are trained only.
        only: rows to run first to last (labels or configurations); empty: all, in the paper's
            order.
        seeds: one training of each row per seed.
        command: the command line, for the tables.
        engine: of evaluation and latency, float32.
        threads: of evaluation and latency.
    """

    tables: Sequence[str]
    recipe: Recipe
    root: Path
    groups: Sequence[str]
    only: Sequence[str] = ()
    seeds: tuple[int, ...] = (0,)
    command: str = ""
    engine: str = "torch"
    threads: int = 1

    @cached_property
    def clips(self) -> list[Clip]:
        """What rows are evaluated on."""
        return sequences(self.root, self.groups)

    def wanted(self) -> list[str]:
        """Configurations to run, in order.

        Raises:
            ParameterError: a row that is in none of the tables.
        """
        named: dict[str, str] = {}
        for table in self.tables:
            for row in rows(table):
                named |= {row.configuration: row.configuration, row.label: row.configuration}
        unknown = [name for name in self.only if name not in named]
        if unknown:
            raise ParameterError(
                f"no row {unknown[0]!r} in {', '.join(self.tables)}; one of: "
                f"{', '.join(dict.fromkeys(named.values()))}"
            )
        return list(dict.fromkeys(named[name] for name in self.only or named))


def run(plan: Plan) -> int:
    """Run what the log does not have and write the tables; 1 where a row failed or waits."""
    wanted = plan.wanted()
    others = [each for each in wanted if not is_given(each)]
    if plan.recipe.features is not None and others:
        raise ParameterError(
            f"--features are LT-Mobile's, and {others[0]!r} has another backbone; leave them out "
            "for a table with it, so that all its rows learn from the same pairs"
        )
    if plan.groups:
        _ = plan.clips  # a set that is not there is told before hours of training
    incomplete = False
    for configuration in wanted:
        for seed in plan.seeds:
            incomplete |= not _run_row(configuration, seed, plan)
            _write(plan)
    _show(plan)
    return int(incomplete)


def measure(plan: Plan) -> int:
    """Latency and memory of all trained rows, anew; 1 where one has no weights here."""
    incomplete = False
    for configuration in plan.wanted():
        weights = weights_of(configuration, plan.seeds[0], plan.recipe)
        if not weights.is_file():
            log.warning("%s is not trained here at this budget", configuration)
            incomplete = True
            continue
        found = costs.measured(configuration, weights, plan.engine, plan.threads)
        entry = {"kind": "cost", "row": configuration, "cpu": cpu_name(), **found}
        jsonl.append(plan.recipe.output / LOG, entry)
        log.info("%s: %s", configuration, found)
    _show(plan)
    return int(incomplete)


def _show(plan: Plan) -> None:
    for shown in _write(plan):
        print(shown.to_text())
    print(f"tables: {plan.recipe.output}")


def _run_row(configuration: str, seed: int, plan: Plan) -> bool:
    """Train and evaluate unless the log has it; False where it failed or another process is at it.

    A night's other rows must not fall with this one.
    """
    lock = plan.recipe.output / "training" / f"{configuration}_{seed}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            if plan.groups and _logged(configuration, plan).get(seed) is not None:
                return True
            trained = train_row(configuration, seed, plan.recipe)
            if plan.groups:
                auc = evaluate(configuration, trained.weights, plan)
                entry = {
                    "kind": "row", **_key(configuration, plan), "seed": seed, "auc": auc,
                    "minutes": round(trained.minutes, 2), "start": trained.start,
                    "engine": plan.engine, "cpu": cpu_name(), "revision": git_revision("+", 12),
                    "last_loss": trained.last_loss,
                }  # fmt: skip
                jsonl.append(plan.recipe.output / LOG, entry)
                log.info("%s, seed %d: %s", configuration, seed, auc)
            return True
    except Timeout:
        log.info("%s, seed %d is being run by another process", configuration, seed)
    except PytrackingETError as error:
        log.error("%s, seed %d failed: %s", configuration, seed, error)
    return False


def _key(configuration: str, plan: Plan) -> dict[str, Any]:
    """What two trainings must share for their figures to stand in one table."""
    recipe = plan.recipe
    store = CropStore(recipe.crops, held_out=False)
    data = f"{len(store)} crops of {len(store.sources)} sources"
    return {
        "row": configuration, "pairs": recipe.pairs, "batch": recipe.batch, "data": data,
        "source": source_of(configuration, recipe),
    }  # fmt: skip


def _logged(configuration: str, plan: Plan) -> dict[int, dict[str, Any]]:
    """Seed -> entry of the trainings that may stand in this call's tables."""
    key = _key(configuration, plan)
    # A row that began with other weights than those named now is another row. Where none are named
    # the log counts: the machine that makes the table need not have them.
    start = asked_start(configuration, plan.recipe)
    if start is not None:
        key["start"] = start
    return {
        entry["seed"]: entry
        for entry in jsonl.read(plan.recipe.output / LOG)
        if entry.get("kind") == "row"
        # Logs of before 0.2.0 do not say the source: all of theirs are of features.
        and all({"source": "features", **entry}.get(name) == value for name, value in key.items())
        and set(plan.groups) <= set(entry["auc"])
        and entry["seed"] in plan.seeds
    }


def _result(row: Row, plan: Plan) -> Result:
    """A row's figures from the log."""
    result = Result(row)
    for seed, entry in sorted(_logged(row.configuration, plan).items()):
        result.seeds.append(seed)
        auc = {name: entry["auc"][name] for name in plan.groups}
        for name, value in {**auc, MEAN: round(float(np.mean(list(auc.values()))), 3)}.items():
            result.auc.setdefault(name, []).append(value)
        result.minutes.append(entry["minutes"])
        result.start = entry["start"]
    result.cost = dict(costs.size(row.configuration))
    for entry in jsonl.read(plan.recipe.output / LOG):
        if entry.get("kind") == "cost" and entry["row"] == row.configuration:
            result.cost |= {n: v for n, v in entry.items() if n not in ("kind", "row")}
    return result


def _write(plan: Plan) -> list[Any]:
    """All tables with what is finished so far, by this call or another."""
    if not plan.groups:
        return []
    starts = dict.fromkeys(plan.groups, 0)
    for clip in plan.clips:
        starts[clip.part] += len(_starts(clip))
    machine = {"cpu": cpu_name(), "threads": plan.threads, "versions": versions()}
    recipe = plan.recipe
    context = Context(recipe.pairs, recipe.batch, plan.seeds, starts, plan.command, machine)
    return [
        report.write(table, [_result(row, plan) for row in rows(table)], context, recipe.output)
        for table in plan.tables
    ]


def _starts(clip: Clip) -> list[Start]:
    return [start for start in clip.starts(quick=True) if start.kind == RESTARTED]


def evaluate(configuration: str, weights: Path, plan: Plan) -> dict[str, float]:
    """AUC in percent by sequence set, mean over restarted starts, in the published loop.

    Clips that were tracked before the process was stopped are not tracked again.
    """
    # `et_tracker` has constants of its own; every row gets the published ones.
    subject = Weights(
        configuration, weights, "et_tracker_published", {}, plan.engine, plan.threads, configuration
    )
    memory = Memory(plan.recipe.output / "training" / "tracked.jsonl")
    runs = track(subject, plan.clips, _starts, memory)
    found = {name: [run.auc for run in runs if run.clip.part == name] for name in plan.groups}
    return {name: round(float(np.mean(values)), 3) for name, values in found.items()}
