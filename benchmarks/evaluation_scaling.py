"""Frames per second of an evaluation with 1 and with 2 processes, taken in turns, same boxes.

    python benchmarks/evaluation_scaling.py --dataset-root OTB100 --checkpoint WEIGHTS

Each round evaluates the data set with one worker process and then with two, one thread each, into
empty folders; starting the processes and writing the files is part of the time. Prints a line a
run, the ratio of the medians, and whether all box files are equal byte for byte. A machine that
does other work makes the numbers worthless.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path

# One thread a process for both, or the single process would have the second core too.
os.environ["OMP_NUM_THREADS"] = "1"

from pytracking_et.evaluation import SequenceList, Tracker, get_dataset, run_dataset

TARGET = 1.7


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="otb")
    parser.add_argument("--dataset-root", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--tracker", default="et_tracker")
    parser.add_argument("--parameter", default="lt_mobile")
    parser.add_argument("--engine", default=None)
    parser.add_argument("--processes", type=int, nargs=2, default=[1, 2], metavar=("A", "B"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=None, help="only the first N")
    return parser.parse_args()


def measure(args: argparse.Namespace, dataset: SequenceList, processes: int, folder: Path) -> float:
    """Frames per second of one evaluation into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    tracker = Tracker(
        args.tracker,
        args.parameter,
        checkpoint=args.checkpoint,
        engine=args.engine,
        results_path=folder,
    )
    report = run_dataset(dataset, [tracker], threads=processes, bar=False)
    if report.failed:
        raise SystemExit(report.summary())
    return report.frames / report.seconds


def box_files(folder: Path) -> dict[str, bytes]:
    """Content of the box files, integer and sub-pixel."""
    others = ("_time.txt", "_object_presence_scores.txt")
    files = [path for path in folder.rglob("*.txt") if not path.name.endswith(others)]
    return {path.name: path.read_bytes() for path in files}


def main() -> int:
    args = arguments()
    dataset = get_dataset(args.dataset, root=args.dataset_root)[: args.sequences]
    rates: dict[int, list[float]] = {count: [] for count in args.processes}
    equal = True
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.rounds):
            for count in args.processes:
                rates[count].append(measure(args, dataset, count, Path(folder) / str(count)))
                print(f"round {number + 1}, {count} processes: {rates[count][-1]:.2f} frames/s")
            first, second = (box_files(Path(folder) / str(count)) for count in args.processes)
            equal = equal and first == second and len(first) == 2 * len(dataset)
    low, high = (statistics.median(rates[count]) for count in args.processes)
    print(f"{len(dataset)} sequences, {sum(len(each.frames) for each in dataset)} frames")
    print(f"ratio of medians: {high / low:.2f} (wanted: {TARGET} for 2 processes on 2 idle cores)")
    print(f"box files byte-equal: {equal}")
    return 0 if equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
