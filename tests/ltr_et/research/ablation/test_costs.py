from __future__ import annotations

import pytest
import torch
from torch import nn

from ltr_et.research.ablation import costs
from pytracking_et.benchmark.roofline import count
from pytracking_et.network.layers import build_layer


@pytest.mark.parametrize(
    ("configuration", "millions"),
    # E.T.Track's towers dominate; LightTrack's paper says 0.53 G for LT-Mobile.
    [("et_tracker", 1656), ("lt_mobile", 512)],
)
def test_multiply_adds_of_a_search(configuration, millions):
    assert round(costs.size(configuration)["macs"] / 1e6) == millions


def test_parameters():
    assert costs.size("et_tracker")["parameters"] == 9_047_221


def test_a_convolution_is_counted_by_hand():
    layer = nn.Conv2d(8, 16, 3, padding=1)
    x = torch.zeros(1, 8, 10, 12)
    with torch.no_grad():
        assert count(lambda: layer(x)) == 10 * 12 * 9 * 8 * 16


# Positions N, channels C, heads of D channels; 4 projections of C x C, then the mixing.
N, C, D = 64, 64, 32


@pytest.mark.parametrize(
    ("name", "mixing"),
    [
        ("standard", 2 * N * N * C),
        # Tiles of 4 x 4 queries see 10 x 10 keys; rows and columns have their embeddings.
        ("local", 2 * N * 100 * C + 10 * N * C),
        ("swin", 2 * N * 16 * C),
        # phi(k)T v and phi(q) times it, and the normaliser.
        ("linear", 2 * N * C * D + N * C),
    ],
)
def test_attention_is_counted_by_hand(name, mixing):
    layer = build_layer(name, C, 3, 0, feed_forward=False).eval()
    x = torch.zeros(1, C, 8, 8)
    with torch.no_grad():
        assert count(lambda: layer(x)) == 4 * N * C * C + mixing
