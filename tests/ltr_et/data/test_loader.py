import logging

import numpy as np
import pytest
import torch

from ltr_et.data.pairs import CropPairs
from ltr_et.training.data import EpochBatches, PairLoader
from pytracking_et.errors import ParameterError


class Numbers:
    """Samples that hold their own key; every third item met a broken image."""

    def __getitem__(self, key):
        epoch, item = key
        broken = ["image 7 is broken"] if item % 3 == 0 else []
        value = np.float32(1000 * epoch + item)
        return {"box": np.full(4, value), "positive": True, "index": item, "broken": broken}


def test_batches_of_processes_make_up_one_big_batch():
    one = list(EpochBatches(100, 8))
    two = [list(EpochBatches(100, 4, rank, 2)) for rank in (0, 1)]
    assert len(one) == len(two[0]) == 12
    assert [a + b for a, b in zip(*two, strict=True)] == one


@pytest.mark.parametrize(
    ("samples", "batch", "rank", "world"), [(7, 8, 0, 1), (8, 8, 0, 2), (8, 1, 2, 2)]
)
def test_sizes_that_do_not_fit(samples, batch, rank, world):
    with pytest.raises(ParameterError, match=f"{samples} samples"):
        EpochBatches(samples, batch, rank, world)


def test_an_epoch_goes_on_where_it_stopped():
    loader = PairLoader(Numbers(), 40, 8)
    whole = [batch["index"].tolist() for batch in loader.epoch(3)]
    assert whole == [list(range(8 * k, 8 * k + 8)) for k in range(5)]
    assert [batch["index"].tolist() for batch in loader.epoch(3, start=2)] == whole[2:]
    assert len(loader) == 5
    assert next(loader.epoch(3))["box"][0, 0] == 3000
    assert loader.waited > 0


def test_broken_images_are_logged_once_and_counted(caplog):
    loader = PairLoader(Numbers(), 12, 4)
    with caplog.at_level(logging.WARNING):
        batches = list(loader.epoch(0))
    assert loader.skipped == 4
    assert [record.message for record in caplog.records] == ["skipped: image 7 is broken"]
    assert "broken" not in batches[0]


def test_tensors(store):
    batch = next(PairLoader(CropPairs(store), 8, 4).epoch(0))
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


@pytest.mark.slow
def test_spawned_workers_give_the_same_batches(store):
    alone = PairLoader(CropPairs(store), 16, 4)
    shared = PairLoader(CropPairs(store), 16, 4, workers=2)
    for epoch in (0, 1):
        for first, second in zip(alone.epoch(epoch), shared.epoch(epoch), strict=True):
            for name, value in first.items():
                assert torch.equal(value, second[name]), name
