"""Attention layers against slow references from their papers, position by position."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pytracking_et.network.layers.attention import (
    CLUSTERS,
    HEAD_CHANNELS,
    ITERATIONS,
    ClusteredLayer,
)

from .layers import assert_close, build, maps, reference_transform


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
