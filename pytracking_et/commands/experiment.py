"""`ettrack experiment`, and run_experiment.py: trackers and data sets from an experiment file."""

from __future__ import annotations

import argparse

from .run import (
    add_run_arguments,
    add_visdom_arguments,
    debug_level,
    visdom_info,
    visdom_server,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """pytracking's arguments of run_experiment.py, and ours."""
    parser.add_argument(
        "experiment_module",
        help="module of pytracking_et.experiments, an importable module, or a .py file",
    )
    parser.add_argument("experiment_name", help="function in it that returns (trackers, dataset)")
    add_run_arguments(parser)
    add_visdom_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the experiment; 1 where a sequence failed."""
    from ..evaluation.experiment import load_experiment, run_and_report
    from ..evaluation.selection import override

    trackers, dataset = load_experiment(args.experiment_module, args.experiment_name)
    trackers = override(trackers, args.checkpoint, args.engine, args.results)
    with visdom_server(args):
        return run_and_report(
            dataset,
            trackers,
            debug=debug_level(args),
            threads=args.threads,
            visdom_info=visdom_info(args),
            resume=args.resume,
            cluster=args.cluster,
        )
