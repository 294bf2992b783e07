"""Train, evaluate and measure the rows of tables; every row's figures are written at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from pytracking_et.analysis import ResultFolder, score
from pytracking_et.analysis.summary import column_of
from pytracking_et.errors import PytrackingETError, ResultsError
from pytracking_et.evaluation import SequenceList, Tracker, get_dataset, run_dataset
from pytracking_et.evaluation.sequence import Sequence as Clip
from pytracking_et.files import atomic_open, read_json, reading
from pytracking_et.machine import cpu_name, versions

from . import costs, report
from .report import Context, Result
from .rows import Row, rows, tables
from .training import Recipe, train_row, weights_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """One call of `python -m ltr_et.research.ablation`.

    Attributes:
        tables: names.
        only: rows to run (labels or configurations); empty: all.
        seeds: one training of each row per seed.
        datasets: name -> folder of the sequences to evaluate on.
        limit: first N of each.
        frames: first N of each sequence; None: all.
        command: the command line, for the tables.
        engine: of evaluation and latency.
        threads: of evaluation and latency.
        measure: latency and memory "now", with each row that has none yet; "later", not in this
            call; "again", of all finished rows and nothing else.
    """

    tables: Sequence[str]
    recipe: Recipe
    datasets: dict[str, Path]
    only: Sequence[str] = ()
    seeds: tuple[int, ...] = (0,)
    limit: int | None = None
    frames: int | None = None
    command: str = ""
    engine: str = "auto"
    threads: int | None = None
    measure: Literal["now", "later", "again"] = "now"
    loaded: dict[str, SequenceList] = field(default_factory=dict)


def run(plan: Plan) -> int:
    """Run the rows that are not finished and write the tables; 1 where a row failed or waits."""
    for name, folder in plan.datasets.items():
        found = get_dataset(name, root=folder)
        plan.loaded[name] = SequenceList(
            shortened(sequence, plan.frames) for sequence in list(found)[: plan.limit]
        )
    if plan.measure == "again":
        return measure_again(plan)
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


def shortened(sequence: Clip, frames: int | None) -> Clip:
    """The first frames of a sequence; the sequence itself where it is no longer than that."""
    if frames is None or len(sequence.frames) <= frames:
        return sequence
    visible = sequence.target_visible
    return Clip(
        sequence.name,
        sequence.frames[:frames],
        sequence.dataset,
        sequence.ground_truth_rect[:frames],
        object_class=sequence.object_class,
        target_visible=None if visible is None else visible[:frames],
    )


def measure_again(plan: Plan) -> int:
    """Latency and memory of all finished rows, anew; 1 where a row failed or is not finished."""
    incomplete = False
    seen: dict[str, dict[str, Any]] = {}
    for table in plan.tables:
        for row in rows(table, plan.only):
            result = _read(row, plan)
            if result is None or not result.pairs:
                log.warning("%s is not trained yet at this budget", row.configuration)
                incomplete = True
                continue
            if row.configuration not in seen:
                seed = (result.seeds or plan.seeds)[0]
                weights = weights_of(row.configuration, seed, plan.recipe)
                seen[row.configuration] = _measured(row, weights, plan)
                log.info("%s: %s", row.configuration, seen[row.configuration])
            result.cost |= seen[row.configuration]
            _store(result, row, plan)
        shown = _write(table, plan)
        print(shown.to_text())
    print(f"tables: {plan.recipe.output}")
    return int(incomplete)


def _write(table: str, plan: Plan) -> Any:
    """The whole table with what is finished so far, by this call or another.

    Rows of other seeds or data than this call's are left out; the table says which.
    """
    context = _context(plan)
    results = [_shown(row, plan, context) for row in rows(table)]
    return report.write(table, results, context, plan.recipe.output)


def _shown(row: Row, plan: Plan, context: Context) -> Result:
    result = _read(row, plan) or Result.of(row)
    differs = context.differs(result)
    return replace(Result.of(row), left_out=differs) if differs else result


def _context(plan: Plan) -> Context:
    # The ablation tables have no column for every data set of the paper (none for UAV123).
    published = {column for table in tables() for row in rows(table) for column in row.published}
    datasets = {}
    for name, sequences in plan.loaded.items():
        column = column_of(name)
        datasets[name] = (column if column in published else None, len(sequences))
    machine = {"cpu": cpu_name(), "threads": plan.threads, "versions": versions()}
    budget = f"{plan.recipe.budget} in batches of {plan.recipe.batch}"
    return Context(budget, plan.seeds, datasets, _training_command(plan), machine, plan.frames)


def _training_command(plan: Plan) -> str:
    """The command line that trained: measuring again does not make another table."""
    path = plan.recipe.output / "rows" / f"{_protocol(plan)}.command"
    if plan.measure == "again" and path.is_file():
        return path.read_text("utf-8").strip()
    with atomic_open(path) as stream:
        stream.write(plan.command + "\n")
    return plan.command


def _protocol(plan: Plan) -> str:
    """Part of file names: what two runs must share for their figures to stand in one table."""
    parts = [str(plan.recipe.budget)]
    parts += [f"{plan.limit} sequences"] if plan.limit else []
    parts += [f"{plan.frames} frames"] if plan.frames else []
    return "_".join(parts).replace(" ", "_")


def _row_file(row: Row, plan: Plan) -> Path:
    return plan.recipe.output / "rows" / f"{row.configuration}_{_protocol(plan)}.json"


def _read(row: Row, plan: Plan) -> Result | None:
    path = _row_file(row, plan)
    if not path.is_file():
        return None
    advice = "delete it to train and measure this row again"
    with reading(path, ResultsError, advice):
        stored = read_json(path, ResultsError, advice)
        # The same configuration stands in several tables under several labels.
        return Result(**{**stored, "label": row.label, "published": dict(row.published)})


def _store(result: Result, row: Row, plan: Plan) -> None:
    with atomic_open(_row_file(row, plan)) as stream:
        json.dump(asdict(result), stream, indent=1)


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
            _store(result, row, plan)
            return result
    except Timeout:
        log.info("%s is being run by another process; left to it", row.configuration)
        return None


def _fill(result: Result, row: Row, plan: Plan) -> None:
    name, recipe = row.configuration, plan.recipe
    for seed in plan.seeds:
        result.seeds.append(seed)
        trained = train_row(name, seed, recipe)
        result.pairs.append(trained.pairs)
        result.minutes.append(round(trained.minutes, 3))
        result.start = trained.start
        for dataset, sequences in plan.loaded.items():
            auc = evaluate(name, seed, trained.weights, sequences, plan)
            result.auc.setdefault(dataset, []).append(round(auc, 3))
            result.sequences[dataset] = len(sequences)
    earlier = _read(row, plan)
    result.cost = dict(earlier.cost) if earlier is not None else {}
    result.cost |= {"parameters": costs.parameters(name), "macs": costs.macs(name)}
    if plan.measure == "now" and "latency_ms" not in result.cost:
        result.cost |= _measured(row, trained.weights, plan)


def _measured(row: Row, weights: Path, plan: Plan) -> dict[str, Any]:
    return costs.measured(row.configuration, weights, plan.engine, plan.threads)


def evaluate(
    configuration: str, seed: int, weights: Path, sequences: SequenceList, plan: Plan
) -> float:
    """AUC in percent of the published loop with these weights; finished sequences are kept.

    Raises:
        ResultsError: a sequence could not be tracked.
    """
    # `et_tracker` has constants of its own; every row gets the published ones.
    parameter = "et_tracker_published" if configuration == "et_tracker" else configuration
    tracker = Tracker(
        "et_tracker",
        parameter,
        seed,
        checkpoint=weights,
        engine=plan.engine,
        precision="f32",
        threads=plan.threads,
        results_path=plan.recipe.output / "results" / _protocol(plan),
    )
    done = run_dataset(sequences, [tracker])
    if done.failed:
        raise ResultsError(f"{configuration}: {done.summary()}")
    names = [sequence.name for sequence in sequences]
    boxes = ResultFolder.open(tracker.results_dir).boxes(names, subpixel=True)
    truth = {sequence.name: sequence.ground_truth_rect for sequence in sequences}
    return score(boxes, truth, sequences[0].dataset).auc
