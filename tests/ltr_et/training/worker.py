"""Run by test_trainer.py, alone or under torchrun: `worker.py FOLDER BATCH STEPS [BATCH_NORM]`."""

import sys
from pathlib import Path

import torch

from ltr_et.settings import Settings, Stage
from ltr_et.training.distributed import group
from pytracking_et import process
from tests.ltr_et.training.test_trainer import settings, trainer


def main(folder: str, batch: str, steps: str, batch_norm: str = "frozen") -> int:
    torch.set_num_threads(1)
    size = int(batch)
    stage = Stage(
        "heads", size * int(steps), batch=size, micro_batch=2, warmup=5, lr=1e-3, dropout=0.0,
        rates={"exemplar": 1.0, "separable": 0.5, "neck": 0.5},
        batch_norm=batch_norm, fast=batch_norm == "frozen",
    )  # fmt: skip
    made: Settings = settings(Path(folder), stage)
    with group(use_gpu=False) as processes:
        trainer(made, group=processes).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(process.run("worker", lambda: main(*sys.argv[1:])))
