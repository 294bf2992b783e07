"""`ettrack datasets list` and `ettrack datasets check`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evaluation.datasets.check import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack datasets`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|check")
    actions.add_parser("list", help="names, sizes and folders of the known data sets")
    check = actions.add_parser(
        "check",
        help="count sequences and frames; name what is missing, mismatched or unreadable",
        allow_abbrev=False,
    )
    check.add_argument(
        "name",
        nargs="*",
        metavar="NAME|PATH",
        help="data sets, or folders of frames with a box file (default: every one that is set)",
    )
    check.add_argument("--dataset-root", metavar="PATH", help="folder of the data set named")
    check.add_argument(
        "--deep",
        action="store_true",
        help="decode every image; otherwise the first of a sequence, and all headers",
    )
    check.add_argument(
        "--limit", type=int, default=50, metavar="N", help="problems to print (50; 0 for all)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the action; 1 where a check found something wrong."""
    return _list() if args.action == "list" else _check(args)


def _list() -> int:
    from ..evaluation.datasets.spec import registry
    from ..settings import env_settings

    settings = env_settings()
    width = max(map(len, registry())) + 2
    print(f"{'name':<{width}}{'sequences':>9}{'frames':>9}  folder")
    for name, spec in registry().items():
        folder = next(
            (getattr(settings, key) for key in spec.settings if getattr(settings, key)), ""
        )
        frames = f"{spec.frames:,}" if spec.frames else "-"
        where = folder or f"(not set: {spec.settings[0]})"
        print(f"{name:<{width}}{spec.sequences:>9,}{frames:>9}  {where}")
        print(f"{'':<{width}}{spec.title}")
    print("\nAny folder of frames with one file of boxes is a data set too: --dataset PATH")
    return 0


def _check(args: argparse.Namespace) -> int:
    from ..errors import DatasetError

    names = args.name or _names_with_folder()
    if args.dataset_root and len(args.name) != 1:
        raise DatasetError("--dataset-root is the folder of one data set; name that data set")
    if not names:
        raise DatasetError(
            "no data set has a folder in the settings; name one with --dataset-root FOLDER, or "
            "run `ettrack init` and fill in the file"
        )
    # A data set that cannot be listed at all must not keep the others from being checked.
    failed = 0
    for name in names:
        try:
            failed += not _check_one(name, args)
        except DatasetError as error:
            print(f"{name}: {error}")
            failed += 1
    return 1 if failed else 0


def _names_with_folder() -> list[str]:
    from ..evaluation.datasets.spec import registry
    from ..settings import env_settings

    settings = env_settings()
    # Only a data set's own setting counts here: uav123_10fps may borrow uav_path, but a folder
    # set for UAV123 need not hold both.
    return [name for name, spec in registry().items() if getattr(settings, spec.settings[0])]


def _check_one(name: str, args: argparse.Namespace) -> bool:
    from tqdm import tqdm

    from ..evaluation import load_dataset
    from ..evaluation.datasets.check import check

    sequences = load_dataset(name, root=args.dataset_root)
    # disable=None: a bar on a terminal only.
    with tqdm(total=len(sequences), desc=name, unit="seq", leave=False, disable=None) as bar:
        report = check(sequences, deep=args.deep, progress=lambda sequence: bar.update())
    print("\n".join(_lines(name, report, args.limit, args.deep)))
    return not report.problems


def _lines(name: str, report: Report, limit: int, deep: bool) -> Sequence[str]:
    from ..evaluation.datasets.check import MISMATCHED, MISSING, UNREADABLE
    from ..evaluation.datasets.spec import registry

    spec = registry().get(name)
    expected = ""
    if spec and spec.sequences != report.sequences:
        expected = f" (the full set has {spec.sequences:,})"
    read = "every image decoded" if deep else "first images decoded, headers of all read"
    lines = [
        f"{name}: {report.sequences:,} sequences{expected}, {report.frames:,} frames, "
        f"{report.absent:,} with the target absent; {read}"
    ]
    shown = report.problems[: limit or None]
    lines += [f"  {problem}" for problem in shown]
    if len(shown) < len(report.problems):
        lines.append(f"  and {len(report.problems) - len(shown):,} more (--limit 0 prints all)")
    counts = ", ".join(
        f"{report.count(kind):,} {kind}" for kind in (MISSING, MISMATCHED, UNREADABLE)
    )
    lines.append(f"  {counts}" if report.problems else "  complete")
    return lines
