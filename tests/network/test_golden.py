"""The published network's numbers: names, shapes and outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pytracking_et import network
from tests.golden import synthetic
from tests.golden.paths import NETWORK, STATE


def assert_close(value: torch.Tensor, golden: np.ndarray, name: str = "") -> None:
    """Within 1e-4, plus two units of float32 rounding of the map's largest value.

    The golden distances (up to 90 px) are themselves 1.2e-4 away from a float64 evaluation of the
    same network, so 1e-4 alone would test the summation order of one processor.
    """
    rounding = 2e-6 * float(np.abs(golden).max())
    np.testing.assert_allclose(value.numpy(), golden, atol=1e-4 + rounding, rtol=0, err_msg=name)


def synthetic_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(np.asarray(synthetic.parameter(name, tuple(value.shape))))
        for name, value in module.state_dict().items()
    }


@pytest.fixture(scope="module")
def published():
    module = network.build("et_tracker").eval()
    module.load_state_dict(synthetic_state(module))
    return module


def image(name: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(synthetic.image(name, shape))


def test_every_name_and_shape_of_the_published_checkpoint(published):
    expected = json.loads(STATE.read_text())
    actual = {name: list(value.shape) for name, value in published.state_dict().items()}
    assert actual == expected
    assert sum(parameter.numel() for parameter in published.parameters()) == 9_047_221


@pytest.mark.parametrize(("template", "search"), [(127, 256), (128, 256), (127, 288)])
def test_outputs(published, template, search):
    golden = np.load(NETWORK)
    with torch.inference_mode():
        zf = published.template(image(f"template{template}", 1, 3, template, template))
        cls, reg = published.track(zf, image(f"search{search}", 1, 3, search, search))
    for key, value in (("zf", zf), ("cls", cls), ("reg", reg)):
        assert_close(value, golden[f"{template}_{search}.{key}"], key)


def test_images_of_a_batch_do_not_mix(published):
    golden = np.load(NETWORK)
    with torch.inference_mode():
        zf = published.template(image("templateB", 2, 3, 128, 128))
        cls, reg = published.track(zf, image("searchB", 2, 3, 256, 256))
    assert_close(cls, golden["batch2.cls"])
    assert_close(reg, golden["batch2.reg"])


def test_module_statistics_locate_a_difference(published):
    golden = np.load(NETWORK)
    found: dict[str, torch.Tensor] = {}
    named = {k.removeprefix("stats.") for k in golden.files if k.startswith("stats.")}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: found.__setitem__(name, out.clone())
        )
        for name, module in published.named_modules()
        if name in named
    ]
    with torch.inference_mode():
        zf = published.template(image("template127", 1, 3, 127, 127))
        found.clear()
        published.track(zf, image("search256", 1, 3, 256, 256))
    for hook in hooks:
        hook.remove()
    compared = 0
    for name, value in found.items():
        mean, std, largest = golden[f"stats.{name}"]
        if name.endswith((".dw_bn", ".conv_reduce")) and "branch" in name:
            # The published code applies these ReLUs in place, so its statistics came after them.
            value = value.relu()
        if list(golden[f"shape.{name}"]) != list(value.shape):
            continue
        np.testing.assert_allclose(value.mean(), mean, atol=1e-4, rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(value.std(), std, atol=1e-3, rtol=1e-3, err_msg=name)
        np.testing.assert_allclose(value.abs().max(), largest, atol=1e-3, rtol=1e-3, err_msg=name)
        compared += 1
    assert compared > 60
