from __future__ import annotations

import itertools
import json
import random

import pytest
import torch

from ltr_et.data.crops import CropStore
from ltr_et.research.search.__main__ import Overlaps, main
from ltr_et.research.search.space import sample
from ltr_et.research.search.supernet import Supernet, extracted, judge, path_of, train
from ltr_et.training import checkpoint, data
from pytracking_et import network
from pytracking_et.errors import CheckpointError
from pytracking_et.network.normalisation import normalise
from tests.ltr_et.networks import with_statistics


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(0)
    return with_statistics(Supernet(), weight=(1, 1), bias=(0, 0))


def images(side: int) -> torch.Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(side))


@pytest.mark.parametrize("seed", range(4))
def test_an_extracted_network_is_the_path(supernet, seed):
    genes = sample(random.Random(seed))
    supernet.choose(genes)
    with torch.inference_mode():
        expected = supernet(images(128), images(64))
        found = supernet.extract(genes).eval()(images(128), images(64))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_only_the_active_path_learns():
    torch.manual_seed(0)
    net = Supernet().train()
    genes = sample(random.Random(5))
    net.choose(genes)
    cls, reg = net(images(128), images(64))
    (cls.sum() + reg.sum()).backward()
    for place, position in enumerate(net.backbone_net.positions):
        for choice, block in enumerate(position):
            active = place < len(net.backbone_net.path) and net.backbone_net.path[place] == choice
            assert (block.conv_pw.weight.grad is not None) == active


def batches(step: int):
    while True:
        generator = torch.Generator().manual_seed(step)
        pixels = {"template": 128, "search": 64}
        batch = {
            name: torch.randint(0, 255, (2, 3, side, side), generator=generator).to(torch.uint8)
            for name, side in pixels.items()
        }
        yield batch | {"box": torch.tensor([[16.0, 16, 30, 30], [20, 10, 24, 36]])}
        step += 1


def test_a_path_is_judged_with_the_batches_statistics(supernet):
    given = list(itertools.islice(batches(0), 2))

    def validation(net):
        assert not net.training
        images = [normalise(batch[name]) for batch in given for name in ("template", "search")]
        means = [net.backbone_net.conv_stem(image).mean((0, 2, 3)) for image in images]
        bn1 = net.backbone_net.bn1
        torch.testing.assert_close(bn1.running_mean, torch.stack(means).mean(0))
        return {"iou": bn1.momentum}

    with torch.no_grad():
        assert judge(supernet, validation, given, sample(random.Random(1))) == 0.1
    again = extracted(supernet, given, sample(random.Random(1)))
    assert validation(again) == {"iou": 0.1}


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path):
    whole, losses = train(3, 0, batches, tmp_path / "whole")
    calls = 0

    def stopping(step: int):
        nonlocal calls
        for batch in batches(step):
            if calls == 1:
                raise KeyboardInterrupt
            calls += 1
            yield batch

    with pytest.raises(KeyboardInterrupt):
        train(3, 0, stopping, tmp_path / "parts", save_seconds=0)
    resumed, rest = train(3, 0, batches, tmp_path / "parts")
    assert rest == pytest.approx(losses[1:], rel=1e-4)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, atol=1e-4, rtol=1e-3)
    with pytest.raises(CheckpointError, match="steps 3, not 5"):
        train(5, 0, batches, tmp_path / "parts")


def test_a_training_goes_on_with_the_values_it_began_with(tmp_path):
    checkpoint.save(tmp_path / "supernet.pth", {"seed": 0, "steps": 3, "batch": 8})
    with pytest.raises(CheckpointError, match="batch 8, not 16; give the same"):
        train(3, 0, batches, tmp_path, batch=16)


def test_paths_depend_on_seed_and_step():
    assert path_of(0, 3) == path_of(0, 3)
    assert len({str(path_of(0, step)) for step in range(20)}) == 20
    assert path_of(0, 3) != path_of(1, 3)


def test_measured_overlaps_outlive_a_stop(tmp_path):
    path = tmp_path / "overlaps.json"
    Overlaps(path, "3 steps").add("back_1", 0.25)
    assert Overlaps(path, "3 steps").values == {"back_1": 0.25}
    assert Overlaps(path, "4 steps").values == {}


def test_sample_command(capsys):
    assert main(["sample", "--count", "2", "--no-latency"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("back_0") and "M multiply-adds" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "--threads", "-1"], "--threads is -1"),
        (["run", "--crops", "c", "--batch", "0"], "--batch is 0"),
        (["run", "--crops", "c", "--max-macs", "nan"], "--max_macs is nan"),
    ],
)
def test_impossible_numbers_are_refused(words, message, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_search_from_crops_to_a_network(tmp_path, store_folder, monkeypatch, capsys):
    out = tmp_path / "search"
    arguments = ["run", "--crops", str(store_folder), "--output", str(out), "--steps", "3"]
    arguments += ["--batch", "2", "--validation-pairs", "4", "--population", "3", "--parents", "1"]
    arguments += ["--generations", "2", "--max-macs", "450"]
    assert main(arguments) == 2
    assert "no held-out clip" in capsys.readouterr().err
    monkeypatch.setattr(data, "CropStore", lambda folder, held_out: CropStore(folder))
    assert main(arguments) == 0
    best = json.loads((out / "best.json").read_text())
    assert best["macs"] <= 450e6
    assert len(best["tried"]) >= 3
    assert max(each["overlap"] for each in best["tried"].values()) == best["overlap"]
    net = network.build(best["architecture"])
    network.weights.load(net, out / "best.safetensors")
    # With the statistics it was judged with, and not those that all paths share.
    shared = checkpoint.load(out / "supernet.pth")["net"]["backbone_net.bn1.running_mean"]
    assert not torch.allclose(net.backbone_net.bn1.running_mean, shared, atol=1e-2)
    # Of other pairs overlaps are other numbers.
    assert main([*arguments, "--validation-pairs", "6"]) == 0
    stored = json.loads((out / "overlaps.json").read_text())
    assert stored["supernet"] == "3 steps of 2, seed 0, 6 validation pairs"
