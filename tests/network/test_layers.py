"""What every tower layer must do, and the plain separable convolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pytracking_et.errors import ParameterError
from pytracking_et.network.layers import LAYERS, build_layer

from .layers import VARIANTS, assert_close, build, maps, reference_norm, template


def test_the_variants_cover_every_layer():
    assert {name for name, _ in VARIANTS.values()} == set(LAYERS)


def test_unknown_layer_lists_what_there_is():
    with pytest.raises(ParameterError, match="'performer'.*exemplar"):
        build_layer("performer", 64, 3, 0)


@pytest.mark.parametrize("side", [16, 18])
@pytest.mark.parametrize("variant", VARIANTS)
def test_shape_is_kept(variant, side):
    x = maps(1, side, side)
    with torch.inference_mode():
        y = build(variant)(x, template(1))
    assert y.shape == x.shape
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_and_the_input_get_a_gradient(variant):
    layer = build(variant).train()
    x = maps().requires_grad_()
    # Not a plain sum: LayerNorm's output sums to a constant.
    layer(x, template()).square().mul(maps(seed=9)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    dead = [name for name, p in layer.named_parameters() if p.grad is None or not p.grad.any()]
    if variant == "exemplar_e1":
        # A softmax over one exemplar is 1 whatever the query says.
        dead = [name for name in dead if name != "K" and not name.startswith("average_pooler")]
    assert not dead


@pytest.mark.parametrize("variant", ["exemplar", "exemplar_s2", "linear", "local", "swin_shifted"])
def test_gradients_are_those_of_finite_differences(variant):
    layer = build(variant).double()
    # A smooth layer at this point: ReLUs are away from zero with probability one.
    x = maps(1, 4, 4).double()
    direction = maps(1, 4, 4, seed=5).double()
    step = 1e-6
    weight = maps(1, 4, 4, seed=6).double()

    def value(at: torch.Tensor) -> torch.Tensor:
        return (layer(at, template(1).double()) * weight).sum()

    moved = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(moved), moved)
    with torch.no_grad():
        measured = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), measured, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_batch_of_two_is_two_batches_of_one(variant):
    layer, x, z = build(variant), maps(), template()
    with torch.inference_mode():
        together = layer(x, z)
        alone = torch.cat([layer(x[i : i + 1], z[i : i + 1]) for i in range(2)])
    assert_close(together, alone)


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_and_eval_agree_on_the_same_statistics(variant):
    """With BatchNorm on the batch's own statistics and no dropout, the modes compute the same."""
    layer, x, z = build(variant).train(), maps(), template()
    for module in layer.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        trained = layer(x, z)
        count = x.shape[0] * x.shape[2] * x.shape[3]
        for module in layer.modules():
            if isinstance(module, nn.BatchNorm2d):
                # Running variances are unbiased, the batch's own are not.
                module.running_var *= (count - 1) / count
                assert int(module.num_batches_tracked) == 1
        evaluated = layer.eval()(x, z)
    assert_close(trained, evaluated, 1e-4)


def test_dropout_acts_in_training_only():
    layer, x = build("standard"), maps()
    torch.manual_seed(0)
    with torch.no_grad():
        assert torch.equal(layer(x), layer(x))
        layer.train()
        assert not torch.equal(layer(x), layer(x))


def test_separable_convolution():
    layer, x = build("conv"), maps(1, 5, 6)
    with torch.no_grad():
        padded, y = F.pad(x[0], (1, 1, 1, 1)), torch.zeros_like(x[0])
        for i in range(5):
            for j in range(6):
                window = padded[:, i : i + 3, j : j + 3]
                filtered = (window * layer.conv1.weight[:, 0]).sum((1, 2))
                y[:, i, j] = layer.pointwise.weight[:, :, 0, 0] @ filtered
        assert_close(layer(x), F.relu(reference_norm(layer.BN, y))[None])
