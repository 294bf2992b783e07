"""`ettrack init` and `ettrack datasets`: where data sets lie, and whether they are whole."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DatasetError, ParameterError
from .arguments import add_dataset_root_argument, path_type

if TYPE_CHECKING:
    from ..evaluation.datasets.check import Report


def datasets_arguments(parser: argparse.ArgumentParser) -> None:
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
    add_dataset_root_argument(check)
    check.add_argument(
        "--deep",
        action="store_true",
        help="decode every image; otherwise the first of a sequence, and all headers",
    )
    check.add_argument(
        "--limit", type=int, default=50, metavar="N", help="problems to print (50; 0 for all)"
    )


def datasets(args: argparse.Namespace) -> int:
    """Run the action; 1 where a check found something wrong."""
    return _list() if args.action == "list" else _check(args)


def _list() -> int:
    from ..evaluation.datasets.layouts import registry
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
    from ..evaluation.datasets.layouts import registry
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
    from ..evaluation.datasets.layouts import registry

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


def init_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack init`."""
    parser.description = (
        "Write a commented settings file (TOML) that names the folders of your data sets and "
        "results. A file that exists is never changed."
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--file", type=path_type, metavar="PATH", help="write it there")
    place.add_argument(
        "--here", action="store_true", help="write ./ettrack.toml, valid in this folder only"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="fill in a setting, e.g. --set otb_path=/data/OTB100; may be repeated",
    )


def init(args: argparse.Namespace) -> int:
    """Write the file, or say where it is."""
    from .. import settings

    if args.file or args.here:
        path = args.file or Path.cwd() / settings.FILE_NAME
    else:
        path = settings.settings_places()[-1]
    values = dict(_split(item) for item in args.set)
    if not settings.write_settings(path, values):
        if values:
            raise ParameterError(
                f"{path} exists and is never overwritten; write into it by hand: "
                + ", ".join(f"{key} = {settings.toml_text(text)}" for key, text in values.items())
            )
        print(f"{path} exists and was not touched; edit it to change settings")
        return 0
    print(f"wrote {path}")
    used = settings.settings_file()
    if used is None or used.resolve() != path.resolve():
        print(f"note: it is not the file in use here, which is {used or 'none'}; "
              f"set {settings.PREFIX}SETTINGS={path} to use it")  # fmt: skip
    print("Name your data folders in it, then run: ettrack datasets check")
    return 0


def _split(item: str) -> tuple[str, str]:
    from ..settings import resolve

    name, equals, text = item.partition("=")
    if not equals or not text:
        raise ParameterError(f"--set {item!r} is not of the form NAME=PATH")
    # Relative paths in the file count from the file's folder; here they were typed in this one.
    return name.strip(), resolve(text, Path.cwd())
