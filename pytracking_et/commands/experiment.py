"""`ettrack experiment`, and run_experiment.py: trackers and data sets from an experiment file."""

from __future__ import annotations

import argparse

from .run import add_run_arguments, add_visdom_arguments, track_and_report


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
    from ..evaluation.experiment import load_experiment, override

    trackers, dataset = load_experiment(args.experiment_module, args.experiment_name)
    trackers = override(
        trackers, args.checkpoint, args.engine, args.results, precision=args.precision
    )
    return track_and_report(args, dataset, trackers)
