"""Arguments that several commands share, and the spellings in which options are understood."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ParameterError

if TYPE_CHECKING:
    from ..spec import TrackerSpec

# What an option is also called, in pytracking's scripts or in our former ones: understood wherever
# the option is, and never shown.
ALSO = {"--box": "--optional_box", "--dataset": "--dataset_name", "--runid": "--run_id"}


def understand_both(parser: argparse.ArgumentParser) -> None:
    """Let a parser and its subparsers take `--visdom-start` and `--visdom_start` alike.

    Options of ours have hyphens and pytracking's own their underscores; --help shows that spelling
    alone. To be called when all arguments are there.
    """
    known = parser._option_string_actions
    for option, action in list(known.items()):
        for name in (option, ALSO.get(option, option)):
            if name.startswith("--"):
                words = name.removeprefix("--")
                known.setdefault("--" + words.replace("_", "-"), action)
                known.setdefault("--" + words.replace("-", "_"), action)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                understand_both(one)


def parse_boolean(text: str) -> bool:
    """Argument type for flags given with a value: true/false, yes/no, on/off, 1/0.

    pytracking uses type=bool, for which every non-empty text, "False" too, is true.
    """
    lowered = text.strip().lower()
    if lowered in ("1", "true", "t", "yes", "y", "on"):
        return True
    if lowered in ("0", "false", "f", "no", "n", "off"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not a boolean; write true or false")


def add_switch(parser: argparse.ArgumentParser, name: str, default: bool, text: str) -> None:
    """`--name`, `--name true`, `--name false`; pytracking writes some of them without a value."""
    parser.add_argument(
        name,
        type=parse_boolean,
        nargs="?",
        const=True,
        default=default,
        metavar="BOOL",
        help=f"{text} (default: {str(default).lower()})",
    )


def add_tracker_arguments(
    parser: argparse.ArgumentParser,
    default: str | None = "auto",
    parameter: bool = False,
    threads: bool = True,
) -> None:
    """--checkpoint, --engine, --precision, and as asked --parameter and --threads.

    Args:
        default: of engine and precision; None leaves them to the parameter file.
        parameter: for commands that do not name the parameter file by position.
        threads: not where --threads counts worker processes.
    """
    add = parser.add_argument
    if parameter:
        add("--parameter", metavar="NAME", help="parameter file (default: the one for the weights)")
    add(
        "--checkpoint",
        metavar="FILE",
        help="weights: .safetensors, .npz, .pth, or the name of downloaded ones (default: found "
        "by themselves, see `ettrack weights list`)",
    )
    shown = "the parameter file's" if default is None else default
    add(
        "--engine",
        default=default,
        metavar="NAME",
        help=f"auto, torch, onnx, openvino (default: {shown})",
    )
    add(
        "--precision",
        default=default,
        metavar="NAME",
        help=f"auto, f32, bf16, int8 (default: {shown})",
    )
    if threads:
        add("--threads", type=int, metavar="N", help="CPU threads of the tracker")


def tracker_spec(args: argparse.Namespace) -> TrackerSpec:
    """What the arguments of `add_tracker_arguments` and the tracker's names ask for.

    Raises:
        CheckpointError: --checkpoint cannot be read.
    """
    from ..spec import TrackerSpec

    return TrackerSpec.fitting(
        getattr(args, "tracker_name", "et_tracker"),
        getattr(args, "tracker_param", None) or getattr(args, "parameter", None),
        args.checkpoint,
        args.engine,
        args.precision,
        args.threads,
    )


def add_box_argument(parser: argparse.ArgumentParser, text: str, several: bool = False) -> None:
    """--box X Y W H, in pixels; with `several` a list of boxes, as it may be repeated."""
    parser.add_argument(
        "--box",
        type=float,
        nargs=4,
        action="append" if several else "store",
        metavar=("X", "Y", "W", "H"),
        help=text,
    )


def add_dataset_root_argument(
    parser: argparse.ArgumentParser,
    text: str = "folder of the data set (default: the one in the settings)",
) -> None:
    """--dataset-root."""
    parser.add_argument("--dataset-root", metavar="DIR", help=text)


def add_results_argument(parser: argparse.ArgumentParser) -> None:
    """--results."""
    parser.add_argument(
        "--results",
        type=path_text,
        metavar="DIR",
        help="folder of all results (default: setting results_path)",
    )


def path_text(text: str) -> str:
    """The path; bash leaves the ~ of `--results=~/runs` to us."""
    from ..settings import expanded

    try:
        return str(expanded(text)) if text else text
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def path_type(text: str) -> Path:
    """`path_text` as a Path."""
    return Path(path_text(text))


def add_visdom_arguments(parser: argparse.ArgumentParser) -> None:
    """pytracking's --debug and its three Visdom arguments, and one that starts a server."""
    add = parser.add_argument
    add(
        "--debug",
        type=int,
        nargs="?",
        const=1,
        default=0,
        metavar="LEVEL",
        help="Visdom panels: 0 none (default), 1 tracking and status, 2 score map, 3 score curve",
    )
    add_switch(parser, "--use_visdom", True, "Visdom panels, with --debug 1 or more")
    add("--visdom_server", default="127.0.0.1", metavar="HOST", help="address of the server")
    add("--visdom_port", type=int, default=8097, metavar="PORT", help="its port")
    add_switch(
        parser,
        "--visdom-start",
        False,
        "start a local Visdom server; works offline, means --debug 1",
    )
