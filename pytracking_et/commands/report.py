"""`ettrack report`: one self-contained HTML page from result files."""

from __future__ import annotations

import argparse

from ..errors import ParameterError
from .selection import add_selection, select


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack report`."""
    add_selection(parser)
    parser.add_argument(
        "--output", default="report.html", metavar="FILE", help="(default report.html)"
    )
    parser.add_argument("--title", help="heading of the page")
    parser.add_argument(
        "--count", type=int, default=4, metavar="N", help="best and worst sequences (default 4)"
    )
    parser.add_argument(
        "--pictures", type=int, default=8, metavar="N", help="frames of each (default 8)"
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="show the published trackers of the paper also beside a part of a data set",
    )


def run(args: argparse.Namespace) -> int:
    """Write the page and print its path."""
    for name in ("count", "pictures"):
        if getattr(args, name) < 1:
            raise ParameterError(f"--{name} {getattr(args, name)}: give at least 1")
    chosen = select(args)
    from ..analysis.report import write_report

    path = write_report(
        chosen.trackers,
        chosen.annotation,
        args.output,
        sequences=chosen.sequences,
        attributes=chosen.attributes,
        title=args.title,
        count=args.count,
        pictures=args.pictures,
        published=args.published,
        **chosen.options,
    )
    print(path)
    return 0
