"""`ettrack ablate`: another spelling of `python -m ltr_et.research.ablation`."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the study."""
    from ltr_et.research.ablation.__main__ import add_arguments as add

    add(parser)


def run(args: argparse.Namespace) -> int:
    """Hand over; 1 where a row failed or is left to another process."""
    from ltr_et.research.ablation.__main__ import run as ablate

    return ablate(args, sys.argv[2:])
