"""What holds for every row of configurations.json: runs, saves, trains, exports, tracks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ltr_et.actors import ETActor
from pytracking_et import network
from pytracking_et.engines.inference import load_graphs
from pytracking_et.engines.inference.tracing import plain_reference, write_graph
from pytracking_et.engines.package import agrees
from pytracking_et.engines.runtimes.torch import TorchRuntime, engine_of
from pytracking_et.live.clip import render
from pytracking_et.tracking.loop import Loop
from pytracking_et.tracking.parameters import Parameters
from tests.ltr_et.networks import with_statistics

NAMES = network.configurations()
ROWS = {
    "components": {"et_conv", "et_attention", "et_tracker", "et_template"},
    "exemplars": {"et_e1", "et_tracker", "et_e16"},
    "queries": {"et_tracker", "et_s2", "et_s4"},
    "modules": {
        *("et_conv", "et_standard", "et_clustered", "et_linear", "et_local", "et_swin"),
        "et_tracker",
    },
    "backbones": {
        f"{backbone}_{head}"
        for backbone in ("shufflenet_v2", "mobilenet_v3", "resnet18")
        for head in ("conv", "et")
    },
}  # fmt: skip


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return network.build(name)


def images(count: int, side: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def answering(name: str) -> nn.Module:
    """BatchNorm that is no identity, and towers that answer: what an export must get right."""
    module = build(name)
    torch.manual_seed(1)
    return with_statistics(module, (-0.1, 0.1), (0.5, 1.5), (0.7, 1.3), (-0.1, 0.3))


@pytest.mark.parametrize("table", ROWS)
def test_every_row_of_the_papers_tables_is_there(table):
    assert set(NAMES) >= ROWS[table]
    assert len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_forward_save_and_load(name, tmp_path):
    module = build(name).eval()
    z, x = images(1, 127, 1), images(1, 128, 2)
    with torch.inference_mode():
        cls, reg = module(z, x)
    assert (cls.shape, reg.shape) == ((1, 1, 8, 8), (1, 4, 8, 8))
    assert torch.isfinite(cls).all()
    assert torch.isfinite(reg).all()
    path = tmp_path / "weights.safetensors"
    network.weights.save(path, module.state_dict(), {"network": name})
    other = build(name, seed=1).eval()
    network.weights.load(other, path)
    with torch.inference_mode():
        again = other(z, x)
    # Files hold float16, hence the width; the largest distances here are some tens of pixels.
    torch.testing.assert_close(again[0], cls, atol=2e-3, rtol=2e-2)
    torch.testing.assert_close(again[1], reg, atol=0.1, rtol=2e-2)
    read = other.state_dict()
    for key, value in module.state_dict().items():
        assert torch.equal(read[key], value.half().to(value.dtype)), key


def training_batch(pairs: int = 2, side: int = 80) -> dict[str, torch.Tensor]:
    """Grey noise with a bright square, template around it; RGB uint8."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"template": 128, "search": side}
    batch = {
        name: torch.randint(60, 120, (pairs, 3, size, size), generator=generator).to(torch.uint8)
        for name, size in sizes.items()
    }
    corner = torch.randint(8, side - 40, (pairs, 2), generator=generator)
    for pair, (left, top) in enumerate(corner.tolist()):
        batch["search"][pair, pair % 3, top : top + 32, left : left + 32] = 240
        batch["template"][pair, pair % 3, 48:80, 48:80] = 240
    return batch | {"box": torch.cat([corner, torch.full((pairs, 2), 32)], 1).float()}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_fifty_training_steps_lower_the_loss(name):
    module = build(name).train()
    actor = ETActor(module, fast=False)
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-4)
    batch = training_batch()
    losses = []
    for _ in range(50):
        loss, _ = actor(batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("et_e1", "et_s2") else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_runs_in_the_tracker(name):
    """Prepared for inference it is the same network, and the loop takes what it gives."""
    module = answering(name)
    engine = engine_of(module)
    reference = plain_reference(module, 127, 256)
    assert agrees(reference.difference(engine.runtime), "f32")
    loop = Loop(engine, Parameters())
    frames = list(itertools.islice(render(10, seed=0), 3))
    loop.start(frames[0].image, frames[0].box)
    for frame in frames[1:]:
        prediction = loop.step(frame.image)
        assert prediction.box.shape == (4,)
        assert np.isfinite(prediction.box).all()
        assert 0 <= prediction.score <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_onnx_export_answers_as_the_network(name, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    weights = tmp_path / "weights.safetensors"
    network.weights.save(weights, answering(name).state_dict(), {"network": name})
    module, template_graph, search_graph = load_graphs(name, weights)
    # Both sizes the loop asks for: maps of 16 x 16, and of 18 x 18, which no window divides.
    for side in (256, 288):
        files = [write_graph(template_graph, 127, tmp_path)]
        files.append(write_graph(search_graph, side, tmp_path))
        sessions = [
            runtime.InferenceSession(str(tmp_path / file), providers=["CPUExecutionProvider"])
            for file in files
        ]
        reference = plain_reference(module, 127, side)
        (template,) = sessions[0].run(None, {"image": reference.template[None]})
        score, distances = sessions[1].run(
            None, {"template": template, "image": reference.search[None]}
        )
        np.testing.assert_allclose(score, reference.score, atol=1e-4)
        np.testing.assert_allclose(distances, reference.distances, atol=5e-3)
        assert np.ptp(reference.score) > 0
        assert agrees(reference.difference(TorchRuntime(template_graph, search_graph)), "f32")
