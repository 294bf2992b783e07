"""Each tower layer against a slow reference written from its paper, position by position."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pytracking_et.errors import ParameterError
from pytracking_et.network.layers import LAYERS, build_layer
from pytracking_et.network.layers.clustered import CLUSTERS, ITERATIONS, ClusteredLayer
from pytracking_et.network.layers.exemplar import ExemplarLayer
from pytracking_et.network.layers.transformer import HEAD_CHANNELS

CHANNELS = 2 * HEAD_CHANNELS

VARIANTS = {
    "conv": ("conv", {}),
    "exemplar": ("exemplar", {}),
    "exemplar_e1": ("exemplar", {"exemplars": 1}),
    "exemplar_e16": ("exemplar", {"exemplars": 16}),
    "exemplar_s2": ("exemplar", {"queries": 2}),
    "exemplar_s4": ("exemplar", {"queries": 4}),
    "exemplar_attention": ("exemplar", {"feed_forward": False}),
    "exemplar_template": ("exemplar", {"template_conditioning": True}),
    "standard": ("standard", {}),
    "clustered": ("clustered", {}),
    "linear": ("linear", {}),
    "local": ("local", {}),
    "swin": ("swin", {}),
    "swin_shifted": ("swin", {"position": 1}),
    "standard_attention": ("standard", {"feed_forward": False}),
}


def build(variant: str, channels: int = CHANNELS, kernel: int = 3, seed: int = 0) -> nn.Module:
    """A layer with statistics, gains and biases that are no identity, in eval mode."""
    torch.manual_seed(seed)
    name, options = VARIANTS[variant]
    layer = build_layer(name, channels, kernel, **{"position": 0, **options})
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return layer.eval()


def maps(batch: int = 2, height: int = 8, width: int = 8, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, CHANNELS, height, width, generator=generator)


def template(batch: int = 2, seed: int = 2) -> torch.Tensor:
    return torch.randn(batch, 96, 8, 8, generator=torch.Generator().manual_seed(seed))


def assert_close(one: torch.Tensor, other: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_the_variants_cover_every_layer():
    assert {name for name, _ in VARIANTS.values()} == set(LAYERS)


def test_unknown_layer_lists_what_there_is():
    with pytest.raises(ParameterError, match="'performer'.*exemplar"):
        build_layer("performer", 64, 3, 0)


# -- what every layer must do ----------------------------------------------------------------


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
def test_same_seed_same_layer_same_output(variant):
    with torch.inference_mode():
        one, two = (build(variant)(maps(), template()) for _ in range(2))
    assert torch.equal(one, two)


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


# -- slow references ---------------------------------------------------------------------------


def reference_transform(layer, y):
    out = torch.empty_like(y)
    for b in range(y.shape[0]):
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                t = layer.norm1(y[b, :, i, j])
                out[b, :, i, j] = layer.norm2(t + layer.linear2(F.relu(layer.linear1(t))))
    return out


def reference_norm(norm, y):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return torch.stack(
        [(y[c] - norm.running_mean[c]) * scale[c] + norm.bias[c] for c in range(len(y))]
    )


def reference_exemplar_cell(layer, x, context=None):
    """Specification, section 5, for one image (C, H, W), exemplar by exemplar."""
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


def heads_of(layer, tokens):
    """Projected tokens (N, C) -> lists of q, k, v (N, D), one per head."""
    projected = tokens @ layer.qkv.weight.t() + layer.qkv.bias
    parts = projected.chunk(3, 1)
    return [
        [part[:, h * HEAD_CHANNELS : (h + 1) * HEAD_CHANNELS] for part in parts]
        for h in range(layer.heads)
    ]


def attend_pairs(layer, x, logit, allowed=None, values=None):
    """Softmax attention of an image (C, H, W), one query at a time."""
    channels, height, width = x.shape
    places = [(i, j) for i in range(height) for j in range(width)]
    tokens = torch.stack([x[:, i, j] for i, j in places])
    mixed = torch.zeros(len(places), channels)
    for h, (q, k, v) in enumerate(heads_of(layer, tokens)):
        for n, here in enumerate(places):
            others = [
                m for m, there in enumerate(places) if allowed is None or allowed(here, there)
            ]
            logits = torch.stack([logit(h, q[n], k[m], here, places[m]) for m in others])
            weights = torch.softmax(logits, 0)
            mixed[n, h * HEAD_CHANNELS : (h + 1) * HEAD_CHANNELS] = sum(
                w * v[m] for w, m in zip(weights, others, strict=True)
            )
    out = mixed @ layer.out.weight.t() + layer.out.bias
    return x + out.t().reshape(channels, height, width)


def dot(h, q, k, here, there):
    return q @ k / math.sqrt(HEAD_CHANNELS)


def test_standard_attention():
    layer, x = build("standard"), maps(1, 4, 5)
    with torch.no_grad():
        y = attend_pairs(layer, x[0], dot)
        assert_close(layer(x), reference_transform(layer, y[None]))
        layer.feed_forward = False
        assert_close(layer(x), y[None])


def test_linear_attention():
    layer, x = build("linear"), maps(1, 4, 5)
    phi = lambda u: F.elu(u) + 1  # noqa: E731
    with torch.no_grad():
        tokens = x[0].flatten(1).t()
        rows = []
        for q, k, v in heads_of(layer, tokens):
            weights = torch.stack([torch.stack([phi(a) @ phi(b) for b in k]) for a in q])
            rows.append(weights @ v / weights.sum(1, keepdim=True))
        out = torch.cat(rows, 1) @ layer.out.weight.t() + layer.out.bias
        y = x[0] + out.t().reshape(x[0].shape)
        assert_close(layer(x), reference_transform(layer, y[None]))


@pytest.mark.parametrize("shape", [(8, 8), (9, 5), (3, 4)])
def test_local_attention(shape):
    layer, x = build("local"), maps(1, *shape)
    reach, half = layer.window // 2, HEAD_CHANNELS // 2

    def near(here, there):
        return abs(here[0] - there[0]) <= reach and abs(here[1] - there[1]) <= reach

    def logit(h, q, k, here, there):
        row = layer.row_embedding[there[0] - here[0] + reach]
        column = layer.column_embedding[there[1] - here[1] + reach]
        relative = q[:half] @ row + q[half:] @ column
        return (q @ k + relative) / math.sqrt(HEAD_CHANNELS)

    with torch.no_grad():
        y = attend_pairs(layer, x[0], logit, near)
        assert_close(layer(x), reference_transform(layer, y[None]))


@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (9, 5)])
@pytest.mark.parametrize("variant", ["swin", "swin_shifted"])
def test_swin_windows(variant, shape):
    layer, x = build(variant), maps(1, *shape)
    nn.init.normal_(layer.bias)
    window, shift = layer.window, layer.shift
    assert shift == (2 if variant == "swin_shifted" else 0)

    def together(here, there):
        return all((a - shift) // window == (b - shift) // window for a, b in zip(here, there))  # noqa: B905

    def logit(h, q, k, here, there):
        row, column = here[0] - there[0] + window - 1, here[1] - there[1] + window - 1
        return dot(h, q, k, here, there) + layer.bias[row * (2 * window - 1) + column, h]

    with torch.no_grad():
        y = attend_pairs(layer, x[0], logit, together)
        assert_close(layer(x), reference_transform(layer, y[None]))


def reference_clusters(query, planes):
    """Lloyd's K-means of one head's hashes in Hamming space, bit by bit; -> cluster of each row."""
    count = len(query)
    codes = [[1 if float(v) > 0 else -1 for v in row] for row in query @ planes]
    centers = [list(codes[c * count // CLUSTERS]) for c in range(CLUSTERS)]

    def nearest(code):
        distance = [sum(a != b for a, b in zip(code, center, strict=True)) for center in centers]
        return distance.index(min(distance))

    for _ in range(ITERATIONS):
        member = [nearest(code) for code in codes]
        for c, center in enumerate(centers):
            mine = [code for code, m in zip(codes, member, strict=True) if m == c]
            for bit in range(len(center)):
                votes = sum(code[bit] for code in mine)
                if votes:
                    center[bit] = 1 if votes > 0 else -1
    return [nearest(code) for code in codes]


@pytest.mark.parametrize("shape", [(7, 8), (4, 5)])
def test_clustered_attention(shape):
    layer, x = build("clustered"), maps(1, *shape)
    with torch.no_grad():
        tokens = x[0].flatten(1).t()
        columns = []
        for q, k, v in heads_of(layer, tokens):
            member = reference_clusters(q, layer.planes)
            rows = torch.zeros_like(q)
            for n, cluster in enumerate(member):
                centroid = torch.stack([q[m] for m in range(len(q)) if member[m] == cluster]).mean(
                    0
                )
                weights = torch.softmax(torch.stack([dot(0, centroid, b, 0, 0) for b in k]), 0)
                rows[n] = weights @ v
            columns.append(rows)
        out = torch.cat(columns, 1) @ layer.out.weight.t() + layer.out.bias
        y = x[0] + out.t().reshape(x[0].shape)
        assert_close(layer(x), reference_transform(layer, y[None]))


def test_clusters_partition_the_positions():
    layer = build("clustered")
    assert isinstance(layer, ClusteredLayer)
    query = torch.randn(1, layer.heads, 256, HEAD_CHANNELS)
    members = layer.assign(query)
    assert members.shape == (1, layer.heads, 256, CLUSTERS)
    assert torch.equal(members.sum(3), torch.ones(1, layer.heads, 256))
    assert (members.sum(2) > 0).sum() > CLUSTERS


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


def test_exemplar_parameters_keep_the_published_names():
    names = {name for name, _ in ExemplarLayer(256, 5).named_parameters()}
    assert {"K", "V_dw", "V_pw", "average_pooler.fc1.weight", "se.conv_reduce.bias"} <= names
    assert {"linear1.weight", "linear2.bias", "norm1.weight", "norm2.bias"} <= names
