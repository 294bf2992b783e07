import itertools
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ltr_et.data.pairs import CropPairs
from ltr_et.settings import Settings, Stage
from ltr_et.training.data import PairData
from ltr_et.training.distributed import Group
from pytracking_et.errors import DatasetError

ROOT = Path(__file__).resolve().parents[3]


class Numbers:
    """Samples that hold their own key; every third item met a broken image."""

    def __getitem__(self, key):
        epoch, item = key
        broken = ["image 7 is broken"] if item % 3 == 0 else []
        value = np.float32(1000 * epoch + item)
        return {"box": np.full(4, value), "positive": True, "index": item, "broken": broken}


def data(pairs, samples, batch, group=None, **settings):
    stage = Stage("s", samples, "crops", batch=batch)
    return PairData(pairs, stage, Settings(**settings), group or Group())


def first(source, count):
    return list(itertools.islice(source.batches(0), count))


def test_batches_of_processes_make_up_one_big_batch():
    one = list(data(Numbers(), 100, 8).epochs)
    two = [list(data(Numbers(), 100, 8, Group(rank, 2)).epochs) for rank in (0, 1)]
    assert len(one) == len(two[0]) == 12
    assert [a + b for a, b in zip(*two, strict=True)] == one


def test_a_batch_that_processes_cannot_share():
    with pytest.raises(DatasetError, match="batch 8 .* 3 processes"):
        data(Numbers(), 100, 8, Group(0, 3))


def test_batches_go_on_where_they_stopped():
    source = data(Numbers(), 40, 8)
    whole = [batch["box"][:, 0].tolist() for batch in first(source, 8)]
    expected = [1000 * epoch + item for epoch in (0, 1) for item in range(40)]
    assert sum(whole, []) == expected[:64]
    assert next(source.batches(7))["box"][:, 0].tolist() == whole[7]
    assert next(source.batches(15))["box"][0, 0] == 3000
    assert source.waited > 0


def test_broken_images_are_logged_once(caplog):
    source = data(Numbers(), 12, 4)
    with caplog.at_level(logging.WARNING):
        batches = first(source, 3)
    assert [record.message for record in caplog.records] == ["skipped: image 7 is broken"]
    assert "broken" not in batches[0]


def test_tensors(store):
    (batch,) = first(data(CropPairs(store), 8, 4), 1)
    shapes = {name: (tuple(value.shape), value.dtype) for name, value in batch.items()}
    assert shapes == {
        "template": ((4, 3, 128, 128), torch.uint8),
        "search": ((4, 3, 256, 256), torch.uint8),
        "box": ((4, 4), torch.float32),
        "positive": ((4,), torch.bool),
        "pseudo": ((4,), torch.bool),
        "distractors": ((4, 8, 4), torch.float32),
        "index": ((4,), torch.int64),
    }


WORK = """
from ltr_et.settings import Settings, Stage
from ltr_et.training.data import PairData
from ltr_et.training.distributed import Group
from pytracking_et import process
from pytracking_et.errors import DatasetError

class Unusable:
    def __getitem__(self, key):
        raise DatasetError("groundtruth.txt has 3 rows, img 4 images")

def work():
    stage, settings = Stage("s", 8, "crops", batch=4), Settings(num_workers=1)
    return next(PairData(Unusable(), stage, settings, Group()).batches(0))

if __name__ == "__main__":
    raise SystemExit(process.run("train", work))
"""


@pytest.mark.slow
def test_an_error_in_a_worker_is_one_sentence_and_the_end(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WORK)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stderr == "train: error: groundtruth.txt has 3 rows, img 4 images\n"
    assert done.returncode == 2


@pytest.mark.slow
def test_spawned_workers_give_the_same_batches(store):
    alone = data(CropPairs(store), 16, 4)
    shared = data(CropPairs(store), 16, 4, num_workers=2)
    for one, two in zip(first(alone, 8), first(shared, 8), strict=True):
        for name, value in one.items():
            assert torch.equal(value, two[name]), name


DIES = WORK.replace('raise DatasetError("groundtruth.txt has 3 rows, img 4 images")', "os._exit(1)")


@pytest.mark.slow
def test_a_worker_that_dies_is_one_sentence_and_the_end(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os\n" + DIES)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.stderr.startswith("train: error: a process that makes pairs has ended")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
