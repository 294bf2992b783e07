"""Exemplar Transformer layer.

Paper: Blatter, Kanakis, Danelljan, Van Gool, "Efficient Visual Tracking with Exemplar
Transformers", WACV 2023 (arXiv 2112.09686), equations 4 to 6. Attention with one query for the
whole image (or S x S of them) over a handful of learned keys; the values are convolution kernels,
so the attention mixes kernels instead of positions and costs no more than a convolution.

Differs from the published code: kernels are mixed per image also in a batch (bmm and one grouped
convolution), S x S queries act on separate cells, and the feed-forward, the number of exemplars
and a query that sees the template are options. Parameter names are those of the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import FEATURE_CHANNELS
from .attention import DROPOUT, FeedForwardMixin

QUERY_CHANNELS = 256
# Softmax temperature T of the attention (docs/method.md, section 5).
TEMPERATURE = 2.0


class AveragePooler(nn.Module):
    """Query of an image: (B, C, H, W) and optional context (B, D) -> (B, 256)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, QUERY_CHANNELS)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Average over positions, append the context, project, ReLU."""
        pooled = x.mean((2, 3))
        if context is not None:
            pooled = torch.cat([pooled, context], 1)
        return F.relu(self.fc1(pooled))


class SqueezeExcite(nn.Module):
    """Sigmoid gate from the channel means, (B, C, H, W) -> the same shape; reduced by two."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, channels // 2, 1)
        self.conv_expand = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return x times its gate."""
        gate = F.relu(self.conv_reduce(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.conv_expand(gate))


class ExemplarLayer(FeedForwardMixin):
    """Exemplar attention with convolution kernels as values, then a feed-forward per position.

    Shape: (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
        kernel: side k of the depthwise kernels.
        position: place in the tower; has no meaning here.
        exemplars: E, number of keys and of kernel pairs.
        queries: S; S x S queries, each acting on its own cell of an S x S split of the map.
        feed_forward: with the two normalisations and the feed-forward (paper: "+ FFN").
        template_conditioning: the query sees the pooled template feature too.
        dropout: after the feed-forward, in training only.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        position: int = 0,
        exemplars: int = 4,
        queries: int = 1,
        feed_forward: bool = True,
        template_conditioning: bool = False,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.channels, self.kernel, self.queries = channels, kernel, queries
        self.template_conditioning = template_conditioning
        context = FEATURE_CHANNELS if template_conditioning else 0
        self.average_pooler = AveragePooler(channels + context)
        self.K = nn.Parameter(torch.empty(exemplars, QUERY_CHANNELS))
        self.V_dw = nn.Parameter(torch.empty(exemplars, channels * kernel**2))
        self.V_pw = nn.Parameter(torch.empty(exemplars, channels**2))
        self.dw_bn = nn.BatchNorm2d(channels)
        self.se = SqueezeExcite(channels)
        self.pw_bn = nn.BatchNorm2d(channels)
        self.feed_forward = feed_forward
        if feed_forward:
            self.add_feed_forward(channels, dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kernels as a convolution of the same shape would start (He, fan-in)."""
        nn.init.normal_(self.K, std=QUERY_CHANNELS**-0.5)
        nn.init.normal_(self.V_dw, std=math.sqrt(2) / self.kernel)
        nn.init.normal_(self.V_pw, std=math.sqrt(2 / self.channels))

    def attention(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """Weights of the exemplars, (B, E), each row summing to one (eq. 4)."""
        context = None
        if self.template_conditioning:
            if template is None:
                raise ValueError("this layer is conditioned on the template feature; pass it")
            context = template.mean((2, 3))
        return self.mixture(self.average_pooler(x, context))

    def mixture(self, query: Tensor) -> Tensor:
        """Weights of the exemplars, (B, E), for queries (B, 256)."""
        return torch.softmax(query @ self.K.t() / (math.sqrt(QUERY_CHANNELS) * TEMPERATURE), 1)

    def cells(self, x: Tensor) -> list[list[Tensor]]:
        """(B, C, H, W) -> S rows of S cells, the first ones larger where S does not divide.

        Slices at plain numbers: an export must see fixed shapes.
        """
        rows, columns = (self._edges(int(side)) for side in x.shape[2:])
        return [[x[:, :, a:b, c:d] for c, d in columns] for a, b in rows]

    def _edges(self, side: int) -> list[tuple[int, int]]:
        size, rest = divmod(side, self.queries)
        starts = [i * size + min(i, rest) for i in range(self.queries + 1)]
        return list(zip(starts, starts[1:], strict=False))

    def depthwise(self, x: Tensor, weights: Tensor) -> Tensor:
        """Filter a cell (B, C, H, W) with the mixture of depthwise kernels of weights (B, E)."""
        batch, channels, height, width = map(int, x.shape)
        kernels = (weights @ self.V_dw).reshape(batch * channels, 1, self.kernel, self.kernel)
        # All images side by side as channels: one grouped convolution filters each with its own.
        return F.conv2d(
            x.reshape(1, batch * channels, height, width),
            kernels,
            padding=self.kernel // 2,
            groups=batch * channels,
        ).reshape(batch, channels, height, width)

    def pointwise(self, x: Tensor, weights: Tensor) -> Tensor:
        """Multiply a cell (B, C, H, W) by the mixture of pointwise kernels of weights (B, E)."""
        batch, channels, height, width = map(int, x.shape)
        matrices = (weights @ self.V_pw).reshape(batch, channels, channels)
        return torch.bmm(matrices, x.reshape(batch, channels, -1)).reshape(
            batch, channels, height, width
        )

    def add_mix(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """Attend and filter every cell with its own mixture of kernels (eq. 5).

        The normalisations see the whole map: in training their statistics are those of all cells
        together, once a step, whatever S is.
        """
        cells = self.cells(x)
        weights = [[self.attention(cell, template) for cell in row] for row in cells]
        y = _joined(_each(self.depthwise, cells, weights))
        y = F.relu(self.dw_bn(y))
        gated = [[self.se(cell) for cell in row] for row in self.cells(y)]
        y = _joined(_each(self.pointwise, gated, weights))
        return F.relu(self.pw_bn(y)) + x

    def forward(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """Filter every cell, then normalise and feed forward per position (eq. 6)."""
        y = self.add_mix(x, template)
        return self.transform(y) if self.feed_forward else y


def _each(
    function: Callable[[Tensor, Tensor], Tensor],
    cells: list[list[Tensor]],
    weights: list[list[Tensor]],
) -> list[list[Tensor]]:
    return [
        [function(cell, weight) for cell, weight in zip(*rows, strict=True)]
        for rows in zip(cells, weights, strict=True)
    ]


def _joined(cells: list[list[Tensor]]) -> Tensor:
    if len(cells) == 1:
        return cells[0][0]
    return torch.cat([torch.cat(row, 3) for row in cells], 2)
