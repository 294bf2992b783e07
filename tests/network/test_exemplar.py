"""The Exemplar layer against the equations of the paper, position by position."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ltr_et import fast_heads
from pytracking_et.engines.inference.lowering import LoweredExemplar
from pytracking_et.network.layers.exemplar import ExemplarLayer

from .layers import (
    CHANNELS,
    assert_close,
    build,
    maps,
    reference_norm,
    reference_transform,
    template,
)


def reference_exemplar_cell(layer, x, context=None):
    """docs/method.md, section 5, for one image (C, H, W), exemplar by exemplar."""
    pooled = x.mean((1, 2))
    if context is not None:
        pooled = torch.cat([pooled, context.mean((1, 2))])
    query = F.relu(layer.average_pooler.fc1.weight @ pooled + layer.average_pooler.fc1.bias)
    logits = torch.stack([query @ key for key in layer.K]) / (math.sqrt(256) * 2)
    weights = torch.softmax(logits, 0)
    k, (channels, height, width) = layer.kernel, x.shape
    w_dw = sum(a * v for a, v in zip(weights, layer.V_dw, strict=True)).reshape(channels, k, k)
    w_pw = sum(a * v for a, v in zip(weights, layer.V_pw, strict=True)).reshape(channels, channels)
    padded = F.pad(x, (k // 2,) * 4)
    y = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            y[:, i, j] = (padded[:, i : i + k, j : j + k] * w_dw).sum((1, 2))
    y = F.relu(reference_norm(layer.dw_bn, y))
    reduce, expand = layer.se.conv_reduce, layer.se.conv_expand
    hidden = F.relu(reduce.weight[:, :, 0, 0] @ y.mean((1, 2)) + reduce.bias)
    gate = torch.sigmoid(expand.weight[:, :, 0, 0] @ hidden + expand.bias)
    y = y * gate[:, None, None]
    y = torch.stack([(w_pw[c][:, None, None] * y).sum(0) for c in range(channels)])
    return F.relu(reference_norm(layer.pw_bn, y)) + x


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("variant", ["exemplar", "exemplar_e16", "exemplar_template"])
def test_exemplar_follows_the_equations(variant, kernel):
    layer, x, z = build(variant, kernel=kernel), maps(2, 5, 6), template()
    with torch.no_grad():
        conditioned = variant == "exemplar_template"
        cells = [
            reference_exemplar_cell(layer, x[b], z[b] if conditioned else None) for b in range(2)
        ]
        assert_close(layer(x, z), reference_transform(layer, torch.stack(cells)))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("variant", ["exemplar", "exemplar_e16"])
def test_all_forms_of_the_layer_are_one(variant, kernel):
    """The module, the form of the engines, the form of training, the steps of the warm start."""
    layer, x = build(variant, kernel=kernel), maps(2, 6, 6)
    with torch.no_grad():
        expected = layer(x)
        lowered = LoweredExemplar(layer)
        assert_close(torch.cat([lowered(x[:1]), lowered(x[1:])]), expected)
        tokens = fast_heads.exemplar_layer(layer, fast_heads.to_tokens(x))
        assert_close(fast_heads.to_map(tokens), expected)
        weights = layer.attention(x)
        y = layer.se(F.relu(layer.dw_bn(layer.depthwise(x, weights))))
        y = F.relu(layer.pw_bn(layer.pointwise(y, weights))) + x
        assert_close(layer.transform(y), expected)


@pytest.mark.parametrize(
    ("queries", "side", "edges"),
    [(2, 8, [0, 4, 8]), (4, 16, [0, 4, 8, 12, 16]), (4, 18, [0, 5, 10, 14, 18]), (2, 7, [0, 4, 7])],
)
def test_queries_act_on_separate_cells(queries, side, edges):
    """S x S queries are the layer with one query, run on each cell alone."""
    layer = build("exemplar_s2")
    layer.queries = queries
    x = maps(2, side, side)
    out = torch.empty_like(x)
    with torch.no_grad():
        for top, bottom in zip(edges, edges[1:], strict=False):
            for left, right in zip(edges, edges[1:], strict=False):
                for b in range(2):
                    cell = reference_exemplar_cell(layer, x[b, :, top:bottom, left:right])
                    out[b, :, top:bottom, left:right] = cell
        assert_close(layer(x), layer.transform(out))


def test_queries_share_one_statistic_in_training():
    """BatchNorm sees the whole map: the number of queries does not change what it learns."""
    layer = build("exemplar_s4")
    seen: list[tuple[int, ...]] = []
    layer.dw_bn.register_forward_hook(lambda _m, inputs, _o: seen.append(tuple(inputs[0].shape)))
    layer.train()(maps(2, 18, 18))
    assert seen == [(2, CHANNELS, 18, 18)]


def test_one_exemplar_is_a_plain_convolution_block():
    layer = build("exemplar_e1", kernel=5)
    depthwise = nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2, groups=CHANNELS, bias=False)
    pointwise = nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False)
    with torch.no_grad():
        depthwise.weight.copy_(layer.V_dw.reshape(CHANNELS, 1, 5, 5))
        pointwise.weight.copy_(layer.V_pw.reshape(CHANNELS, CHANNELS, 1, 1))
        x = maps()
        y = layer.se(F.relu(layer.dw_bn(depthwise(x))))
        y = F.relu(layer.pw_bn(pointwise(y))) + x
        assert_close(layer(x), layer.transform(y))


def test_the_mixture_differs_between_images():
    layer = build("exemplar")
    with torch.no_grad():
        # A sharp attention, so that a difference is no rounding error.
        layer.K.mul_(1000)
        weights = layer.attention(torch.cat([maps(1), 5 * maps(1, seed=7)]))
    assert weights.shape == (2, 4)
    assert_close(weights.sum(1), torch.ones(2))
    assert (weights[0] - weights[1]).abs().max() > 0.01


def test_the_template_changes_the_query():
    layer, x = build("exemplar_template"), maps(1)
    with torch.no_grad():
        first = layer.attention(x, template(1))
        second = layer.attention(x, 10 + 10 * template(1, seed=5))
    assert (first - second).abs().max() > 1e-3
    with pytest.raises(ValueError, match="conditioned on the template"):
        layer(x)
    plain = build("exemplar")
    with torch.no_grad():
        assert torch.equal(plain.attention(x, template(1)), plain.attention(x, template(1, 5)))


def test_exemplar_parameters_keep_the_published_names():
    names = {name for name, _ in ExemplarLayer(256, 5).named_parameters()}
    assert {"K", "V_dw", "V_pw", "average_pooler.fc1.weight", "se.conv_reduce.bias"} <= names
    assert {"linear1.weight", "linear2.bias", "norm1.weight", "norm2.bias"} <= names
