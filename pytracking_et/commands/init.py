"""`ettrack init`: write the settings file, once."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ettrack init`."""
    parser.description = (
        "Write a commented settings file (TOML) that names the folders of your data sets and "
        "results. A file that exists is never changed."
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--file", type=Path, metavar="PATH", help="write it there")
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


def run(args: argparse.Namespace) -> int:
    """Write the file, or say where it is."""
    from .. import settings
    from ..errors import ParameterError

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
    from ..errors import ParameterError
    from ..settings import resolve

    name, equals, text = item.partition("=")
    if not equals or not text:
        raise ParameterError(f"--set {item!r} is not of the form NAME=PATH")
    # Relative paths in the file count from the file's folder; here they were typed in this one.
    return name.strip(), resolve(text, Path.cwd())
