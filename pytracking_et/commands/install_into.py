"""`ettrack install-into PATH`: plug E.T.Track into a pytracking checkout."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH, --link, --undo."""
    parser.add_argument("path", help="pytracking repository (the folder with pytracking/ and ltr/)")
    parser.add_argument("--link", action="store_true", help="link the folders instead of copying")
    parser.add_argument("--undo", action="store_true", help="remove what was installed")


def run(args: argparse.Namespace) -> int:
    """Install or undo; exit code 1 where something had to be kept."""
    from ..integrations.pytracking_checkout import install, undo

    change = undo(args.path) if args.undo else install(args.path, args.link)
    verb = "removed" if args.undo else "linked" if args.link else "wrote"
    for path in change.files:
        print(f"{verb} {path}")
    for text in change.kept:
        print(f"kept {text}")
    if not args.undo:
        print(
            f"\nnow, in {change.package}:\n  python run_tracker.py et_tracker et_tracker "
            "--dataset_name otb\n(the Python that runs it needs pytracking_et installed)"
        )
    elif not change.files and not change.kept:
        print(f"nothing of ours in {change.package}")
    return 1 if change.kept else 0
