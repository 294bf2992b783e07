"""`ettrack pack`: archives for the servers of GOT-10k and TrackingNet."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which benchmark, which results, which archive."""
    parser.add_argument("benchmark", choices=["got10k", "trackingnet"])
    parser.add_argument("tracker_name", help="tracker, e.g. et_tracker")
    parser.add_argument("tracker_param", help="parameter file, e.g. et_tracker")
    parser.add_argument("--runid", type=int, metavar="N", help="TrackingNet: run to pack")
    parser.add_argument(
        "--runs",
        type=int,
        choices=[1, 3],
        default=3,
        help="GOT-10k: 3 packs run ids 0..2 (default); 1 the run without an id, for a "
        "deterministic tracker",
    )
    parser.add_argument("--output", metavar="NAME|FILE.zip", help="archive; default NAME_PARAM")
    parser.add_argument("--results", metavar="PATH", help="folder of all results")
    parser.add_argument(
        "--dataset-root", metavar="PATH", help="the data set, to check numbers of frames against"
    )


def run(args: argparse.Namespace) -> int:
    """Check and write; prints the path."""
    from ..evaluation.packers import pack_got10k_results, pack_trackingnet_results

    where = {"results_path": args.results, "dataset_root": args.dataset_root}
    if args.benchmark == "got10k":
        output = args.output or f"{args.tracker_name}_{args.tracker_param}"
        path = pack_got10k_results(
            args.tracker_name, args.tracker_param, output, runs=args.runs, **where
        )
    else:
        path = pack_trackingnet_results(
            args.tracker_name, args.tracker_param, args.runid, args.output, **where
        )
    print(path)
    return 0
