"""Train: `python -m ltr_et.run_training MODULE NAME` (pytracking's arguments).

    python -m ltr_et.run_training et_tracker smoke
    python -m ltr_et.run_training et_tracker distill --data ../shared/train --max-minutes 60
    torchrun --nproc-per-node 2 -m ltr_et.run_training et_tracker distill

Run again to go on from the last checkpoint. Ctrl-C (and SIGTERM, SIGHUP) saves one first.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytracking_et import process
from pytracking_et.errors import ParameterError

from .settings import Settings, apply_overrides
from .train_settings.et_tracker import RECIPES


def run_training(module: str, name: str, settings: Settings) -> bool:
    """Run the recipe NAME of `ltr_et/train_settings/MODULE.py`; True when all its stages are done.

    Raises:
        ParameterError: no such recipe, or an override that does not fit.
    """
    recipe = _recipe(module, name)
    settings.module_name, settings.script_name = module, name
    # Recipes look at data and weights before they make the stages.
    apply_overrides(settings, stages=False)
    return bool(recipe(settings))


def _recipe(module: str, name: str) -> Callable[[Settings], bool]:
    """A recipe of the module, or `run` of a script `MODULE/NAME.py` as pytracking has them."""
    package = f"ltr_et.train_settings.{module}"
    try:
        found: Any = importlib.import_module(package)
        recipes = getattr(found, "RECIPES", {})
        return (
            recipes[name] if name in recipes else importlib.import_module(f"{package}.{name}").run
        )
    except ModuleNotFoundError as error:
        if error.name is None or not f"{package}.{name}".startswith(error.name):
            raise
        known = ", ".join(f"et_tracker {recipe}" for recipe in RECIPES)
        raise ParameterError(
            f"no training settings {module!r} {name!r}; there are: {known}"
        ) from error


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ltr_et.run_training", description=__doc__.split("\n")[0]
    )
    parser.add_argument("train_module", help="module of ltr_et/train_settings, e.g. et_tracker")
    parser.add_argument("train_name", help=f"recipe in it: {', '.join(RECIPES)}")
    parser.add_argument(
        "--workspace", type=Path, help="where checkpoints and logs go (default: training)"
    )
    for option, text in (
        ("data", "folder of the data sets (default: ../shared/train)"),
        ("crops", "crop store (built from --data if it is missing)"),
        ("features", "feature cache (built from the crop store if it is missing)"),
        ("teacher", "LT-Mobile's weights (default: those in ../shared/weights, or the cache)"),
        ("initial", "E.T.Track weights to start from, instead of the warm start"),
        ("backbone", "weights to start the backbone from, e.g. trained on ImageNet"),
    ):
        parser.add_argument(f"--{option}", type=Path, help=text)
    parser.add_argument("--threads", type=int, help="torch threads (0: torch's choice)")
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--max-minutes", type=float, help="stop after so long; start again to go on"
    )
    parser.add_argument("--fresh", action="store_true", help="begin anew, not from the checkpoint")
    parser.add_argument("--cpu", action="store_false", dest="use_gpu", help="do not use a GPU")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides",
        help="change a setting, e.g. stages.0.lr=1e-4 or validate_minutes=5 (repeatable)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def settings_from(options: argparse.Namespace) -> Settings:
    """Settings with what the command line names; the settings script fills in the rest."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    del given["train_module"], given["train_name"]
    return Settings(**given)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code (2: something the user can mend, 130: stopped)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parse(words)
    settings = settings_from(options)
    began = time.time()

    def resume() -> str:
        """How to go on: --fresh would throw away what this run has saved."""
        latest = settings.folder / "latest.pth"
        saved = latest.is_file() and latest.stat().st_mtime >= began
        kept = [word for word in words if word != "--fresh" or not saved]
        start = "torchrun ..." if "TORCHELASTIC_RUN_ID" in os.environ else "python"
        return f"go on with: {start} -m ltr_et.run_training {process.command_line(kept)}"

    def work() -> int:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        done = run_training(options.train_module, options.train_name, settings)
        print("finished" if done else f"stopped; {resume()}")
        return 0

    return process.run("ltr_et.run_training", work, resume)


if __name__ == "__main__":
    raise SystemExit(main())
