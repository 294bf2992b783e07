"""`ettrack weights`: what there is, download, convert, check."""

from __future__ import annotations

import argparse

from ..errors import CheckpointError
from .arguments import path_type


def weights_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommands list, download, convert and check."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="weights of this package, in the cache, and downloadable")
    download = actions.add_parser("download", help="fetch published weights into the cache")
    download.add_argument("name", help="for example: official")
    convert = actions.add_parser("convert", help="write a checkpoint as .safetensors")
    convert.add_argument("source", type=path_type)
    convert.add_argument("target", type=path_type)
    convert.add_argument("--float32", action="store_true", help="keep float32 (default float16)")
    check = actions.add_parser("check", help="does a file fit a network?")
    check.add_argument("file", type=path_type)
    check.add_argument("--network", help="configuration name; default: told by the file's names")


def weights(args: argparse.Namespace) -> int:
    """Run one action."""
    return {"list": _list, "download": _download, "convert": _convert, "check": _check}[
        args.action
    ](args)


def _list(_args: argparse.Namespace) -> int:
    from ..network import weights
    from ..network.download import catalogue

    folders = {"package": weights.PACKAGE_WEIGHTS, "cache": weights.cached_weights()}
    for title, folder in folders.items():
        files = sorted(folder.glob("*")) if folder.is_dir() else []
        known = [path for path in files if path.suffix in weights.SUFFIXES]
        print(f"{title}: {folder}" + ("" if known else "  (none)"))
        for path in known:
            megabytes = path.stat().st_size / 1e6
            print(f"  {path.name:<28}{megabytes:7.1f} MB  sha256 {weights.fingerprint(path)[:16]}")
    print("downloadable:")
    for item in catalogue().values():
        print(f"  {item.name:<28}{item.summary}")
    return 0


def _download(args: argparse.Namespace) -> int:
    from ..network.download import catalogue, download

    items = catalogue()
    if args.name not in items:
        raise CheckpointError(
            f"nothing called {args.name!r} to download; one of: {', '.join(items)}"
        )
    item = items[args.name]
    path = download(item)
    print(
        f"{path}\nuse it with --checkpoint {args.name}, and with the parameter file "
        f"{item.parameter} to track as published"
    )
    return 0


def _convert(args: argparse.Namespace) -> int:
    from ..network import weights

    state, texts = weights.read(args.source)
    weights.save(args.target, state, texts, half=not args.float32)
    print(f"{len(state)} tensors written to {args.target}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from ..network import build, weights

    state, texts = weights.read(args.file)
    name = args.network or texts.get("network") or weights.recognised(state)
    if name is None:
        raise CheckpointError(f"{args.file}: the names tell no network; say which with --network")
    weights.load(build(name), args.file)
    print(f"{args.file} fits {name}: {len(state)} tensors, sha256 {weights.fingerprint(args.file)}")
    for key, value in texts.items():
        print(f"  {key}: {value}")
    return 0
