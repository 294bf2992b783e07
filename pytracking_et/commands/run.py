"""`ettrack run` and `ettrack experiment` (run_tracker.py, run_experiment.py): evaluate trackers."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .arguments import (
    add_dataset_root_argument,
    add_results_argument,
    add_tracker_arguments,
    add_visdom_arguments,
)


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """pytracking's arguments of run_tracker.py, and ours."""
    add = parser.add_argument
    add("tracker_name", help="tracker, e.g. et_tracker")
    add("tracker_param", help="parameter file, e.g. et_tracker or lt_mobile")
    add("--runid", type=int, metavar="N", help="number of a repeated run")
    add("--runs", type=int, metavar="N", help="repeat as run ids 0..N-1 (GOT-10k: 3)")
    add(
        "--dataset",
        dest="dataset_name",
        default="otb",
        metavar="NAME|PATH",
        help="otb, uav, lasot, ... ('ettrack datasets list'), or a folder of frames with one box "
        "file (default: otb)",
    )
    add_dataset_root_argument(parser)
    add("--sequence", metavar="N|NAME", help="one sequence (number or name)")
    _add_shared_arguments(parser)


def _add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that `run` and `experiment` share."""
    add = parser.add_argument
    add(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="worker processes; 0 (default) tracks in this one",
    )
    add(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="end a sequence that takes longer, as failed (with --threads 1 or more; default: "
        "none)",
    )
    add("--cluster", metavar="ADDRESS", help="Dask scheduler to run on")
    add_tracker_arguments(parser, None, threads=False)
    add_results_argument(parser)
    add(
        "--no-resume",
        dest="resume",
        action="store_false",
        help="run again what is finished with the same tracker, parameters and weights",
    )
    add(
        "--by-content",
        action="store_true",
        help="tell by the contents of the frames, not by sizes and times, whether finished results "
        "are of the same pictures (reads all of them)",
    )
    add_visdom_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Track, write results, print the table; 1 where a sequence failed."""
    from ..evaluation.experiment import select_sequences, select_trackers

    trackers = select_trackers(
        args.tracker_name,
        args.tracker_param,
        args.runid,
        args.runs,
        checkpoint=args.checkpoint,
        engine=args.engine,
        precision=args.precision,
        results_path=args.results,
    )
    dataset = select_sequences(args.dataset_name, args.dataset_root, args.sequence)
    return track_and_report(args, dataset, trackers)


def experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """pytracking's arguments of run_experiment.py, and ours."""
    parser.add_argument(
        "experiment_module",
        help="module of pytracking_et.experiments, an importable module, or a .py file",
    )
    parser.add_argument("experiment_name", help="function in it that returns (trackers, dataset)")
    _add_shared_arguments(parser)


def experiment(args: argparse.Namespace) -> int:
    """Run the experiment; 1 where a sequence failed."""
    from ..evaluation.experiment import load_experiment, override

    trackers, dataset = load_experiment(args.experiment_module, args.experiment_name)
    trackers = override(
        trackers,
        args.results,
        checkpoint=args.checkpoint,
        engine=args.engine,
        precision=args.precision,
    )
    return track_and_report(args, dataset, trackers)


def track_and_report(args: argparse.Namespace, dataset: Any, trackers: Any) -> int:
    """Run trackers on sequences as the arguments say, Visdom included; 1 where one failed."""
    from ..analysis.summary import result_tables
    from ..evaluation.experiment import run_and_report
    from ..live.visdom_panels import Visdom

    with visdom_server(args):
        return run_and_report(
            dataset,
            trackers,
            result_tables,
            debug=debug_level(args),
            threads=args.threads,
            visdom_info=visdom_info(args),
            resume=args.resume,
            cluster=args.cluster,
            time_limit=args.time_limit,
            by_content=args.by_content,
            display=Visdom,
        )


def debug_level(args: argparse.Namespace) -> int:
    """`--debug`; at least 1 with --visdom-start, as a server without a panel is no use."""
    return max(args.debug, 1) if args.visdom_start and args.use_visdom else int(args.debug)


def visdom_server(args: argparse.Namespace) -> AbstractContextManager[Any]:
    """A local server for the time of the run where --visdom-start asks for it."""
    if not (args.visdom_start and args.use_visdom):
        return nullcontext()
    from ..live.visdom_server import LocalServer

    print(f"Visdom: http://127.0.0.1:{args.visdom_port}", file=sys.stderr)
    return LocalServer(args.visdom_port)


def visdom_info(args: argparse.Namespace) -> dict[str, object]:
    """The three arguments as pytracking passes them on."""
    return {
        "use_visdom": args.use_visdom,
        "server": args.visdom_server,
        "port": args.visdom_port,
        "started": args.visdom_start,
    }
