"""Train, evaluate and measure the rows of tables; every row's figures are written at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytracking_et.analysis import ResultFolder, score
from pytracking_et.analysis.published import column_of
from pytracking_et.errors import PytrackingETError, ResultsError
from pytracking_et.evaluation import SequenceList, Tracker, get_dataset, run_dataset
from pytracking_et.evaluation.machine import cpu_name, versions
from pytracking_et.files import atomic_open

from . import costs, report
from .report import Context, Result
from .rows import Row, rows, tables
from .training import Recipe, train_row

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """One call of `ettrack ablate`.

    Attributes:
        tables: names. only: rows to run (labels or configurations); empty: all.
        seeds: one training of each row per seed.
        datasets: name -> folder of the sequences to evaluate on. limit: first N of each.
        command: the command line, for the tables.
        engine, threads: of evaluation and latency.
    """

    tables: Sequence[str]
    recipe: Recipe
    datasets: dict[str, Path]
    only: Sequence[str] = ()
    seeds: tuple[int, ...] = (0,)
    limit: int | None = None
    command: str = ""
    engine: str = "auto"
    threads: int | None = None
    loaded: dict[str, SequenceList] = field(default_factory=dict)


def run(plan: Plan) -> int:
    """Run the rows that are not finished and write the tables; 1 where a row failed or waits."""
    for name, folder in plan.datasets.items():
        found = get_dataset(name, root=folder)
        plan.loaded[name] = SequenceList(list(found)[: plan.limit])
    chosen = {table: rows(table, plan.only) for table in plan.tables}
    incomplete = False
    for table, wanted in chosen.items():
        for row in wanted:
            result = _run_row(row, plan)
            incomplete |= result is None or bool(result.failure)
            shown = _write(table, plan)
        print(shown.to_text())
    print(f"tables: {plan.recipe.output}")
    return int(incomplete)


def _write(table: str, plan: Plan) -> Any:
    """The whole table with what is finished so far, by this call or another."""
    results = [_read(row, plan) or Result.of(row) for row in rows(table)]
    return report.write(table, results, _context(plan), plan.recipe.output)


def _context(plan: Plan) -> Context:
    # The ablation tables have no column for every data set of the paper (none for UAV123).
    published = {column for table in tables() for row in rows(table) for column in row.published}
    datasets = {}
    for name, sequences in plan.loaded.items():
        column = column_of(name)
        datasets[name] = (column if column in published else None, len(sequences))
    machine = {"cpu": cpu_name(), "threads": plan.threads, "versions": versions()}
    return Context(str(plan.recipe.budget), plan.seeds, datasets, plan.command, machine)


def _row_file(row: Row, plan: Plan) -> Path:
    budget = str(plan.recipe.budget).replace(" ", "_")
    return plan.recipe.output / "rows" / f"{row.configuration}_{budget}.json"


def _read(row: Row, plan: Plan) -> Result | None:
    path = _row_file(row, plan)
    if not path.is_file():
        return None
    stored = json.loads(path.read_text("utf-8"))
    # The same configuration stands in several tables under several labels.
    return Result(**{**stored, "label": row.label, "published": dict(row.published)})


def _run_row(row: Row, plan: Plan) -> Result | None:
    """Train, evaluate, measure; None where another process is at it."""
    path = _row_file(row, plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            result = Result.of(row)
            try:
                _fill(result, row, plan)
            except PytrackingETError as error:
                # A night's other rows must not fall with this one; it stands in the table.
                log.error("%s failed: %s", row.configuration, error)
                result.failure = str(error)
            with atomic_open(path) as stream:
                json.dump(asdict(result), stream, indent=1)
            return result
    except Timeout:
        log.info("%s is being run by another process; left to it", row.configuration)
        return None


def _fill(result: Result, row: Row, plan: Plan) -> None:
    name, recipe = row.configuration, plan.recipe
    for seed in plan.seeds:
        trained = train_row(name, seed, recipe)
        result.pairs.append(trained.pairs)
        result.minutes.append(round(trained.minutes, 3))
        result.start = trained.start
        for dataset, sequences in plan.loaded.items():
            auc = evaluate(name, seed, trained.weights, sequences, plan)
            result.auc.setdefault(dataset, []).append(round(auc, 3))
    result.cost = {"parameters": costs.parameters(name), "macs": costs.macs(name)}
    result.cost |= costs.measured(name, trained.weights, plan.engine, plan.threads)


def evaluate(
    configuration: str, seed: int, weights: Path, sequences: SequenceList, plan: Plan
) -> float:
    """AUC in percent of the published loop with these weights; finished sequences are kept.

    Raises:
        ResultsError: a sequence could not be tracked.
    """
    # `et_tracker` has constants of its own; every row gets the published ones.
    parameter = "et_tracker_published" if configuration == "et_tracker" else configuration
    budget = str(plan.recipe.budget).replace(" ", "_")
    tracker = Tracker(
        "et_tracker",
        parameter,
        seed,
        checkpoint=weights,
        engine=plan.engine,
        precision="f32",
        threads=plan.threads,
        results_path=plan.recipe.output / "results" / budget,
    )
    done = run_dataset(sequences, [tracker])
    if done.failed:
        raise ResultsError(f"{configuration}: {done.summary()}")
    names = [sequence.name for sequence in sequences]
    boxes = ResultFolder.open(tracker.results_dir).boxes(names, subpixel=True)
    truth = {sequence.name: sequence.ground_truth_rect for sequence in sequences}
    return score(boxes, truth, sequences[0].dataset).auc
