"""Run an experiment file: `python run_experiment.py ...` from inside this folder, or with -m.

The same as `ettrack experiment ...`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a file: in place of this folder the one in which the package is found.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pytracking_et.commands import main

if __name__ == "__main__":
    sys.exit(main(["experiment", *sys.argv[1:]]))
