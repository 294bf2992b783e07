"""Attention layers: what they share, and those in which every position sees all others.

A layer of the paper's module comparison (table "Modules") is `x + mix(x)`, LayerNorm, feed-forward
with residual, LayerNorm: the frame of the Exemplar layer with another attention inside. No
positional encoding is added: the separable convolution before the layers has seen the border.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEED_FORWARD_CHANNELS = 1024
DROPOUT = 0.1
# Width of a head divides both tower widths, 256 and 192.
HEAD_CHANNELS = 32
# Linear attention, as in its authors' implementation; keeps the normaliser away from zero.
EPSILON = 1e-6
# Clustered attention: our maps have 256 or 324 positions; the paper's longer sequences take 100
# clusters of 63 bits and 10 iterations.
CLUSTERS = 32
HASH_BITS = 32
ITERATIONS = 5


class FeedForwardMixin(nn.Module):
    """Adds `linear1`, `linear2`, `norm1`, `norm2` under the published names."""

    def add_feed_forward(self, channels: int, dropout: float = DROPOUT) -> None:
        """Create the parameters."""
        self.linear1 = nn.Linear(channels, FEED_FORWARD_CHANNELS)
        self.linear2 = nn.Linear(FEED_FORWARD_CHANNELS, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def transform(self, y: Tensor) -> Tensor:
        """Normalise, feed forward, normalise, per position: (B, C, H, W) -> the same shape."""
        tokens = self.norm1(y.flatten(2).transpose(1, 2))
        hidden = self.linear2(F.relu(self.linear1(tokens)))
        tokens = self.norm2(tokens + self.dropout(hidden))
        return tokens.transpose(1, 2).reshape(y.shape)


class ProjectedAttention(FeedForwardMixin):
    """Base of the attention layers: (B, C, H, W) -> (B, C, H, W).

    With the query, key, value and output projections that all of them have; subclasses define
    `attend`, or `mix`. Without the feed-forward only the residual remains. `kernel` (of the tower)
    and `position` (in it) are there for the layers that use them.
    """

    def __init__(
        self, channels: int, kernel: int, position: int = 0, feed_forward: bool = True
    ) -> None:
        super().__init__()
        self.channels = channels
        self.heads = channels // HEAD_CHANNELS
        self.feed_forward = feed_forward
        if feed_forward:
            self.add_feed_forward(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, heads, N, D) each -> (B, heads, N, D)."""
        raise NotImplementedError

    def mix(self, x: Tensor) -> Tensor:
        """Project, attend over all positions, project: (B, C, H, W) -> the same shape."""
        tokens = x.flatten(2).transpose(1, 2)
        query, key, value = (self.split_heads(part) for part in self.qkv(tokens).chunk(3, 2))
        mixed = self.out(self.join_heads(self.attend(query, key, value)))
        return mixed.transpose(1, 2).reshape(x.shape)

    def add_mix(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """What the feed-forward is given; `template` is not used, as in `forward`."""
        return x + self.mix(x)

    def forward(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """`template` is not used; all tower layers share one signature."""
        y = self.add_mix(x)
        return self.transform(y) if self.feed_forward else y

    def split_heads(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, C / heads)."""
        batch, count, _ = tokens.shape
        return tokens.reshape(batch, count, self.heads, -1).transpose(1, 2)

    def join_heads(self, tokens: Tensor) -> Tensor:
        """(B, heads, N, D) -> (B, N, heads * D)."""
        batch, _, count, _ = tokens.shape
        return tokens.transpose(1, 2).reshape(batch, count, self.channels)


class StandardLayer(ProjectedAttention):
    """Standard self-attention: (B, C, H, W) -> (B, C, H, W); `kernel` has no meaning here.

    Paper: Vaswani et al., "Attention Is All You Need", NeurIPS 2017 (arXiv 1706.03762). Every
    position attends to every other: cost grows with the square of the number of positions.
    """

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax(q kᵀ / sqrt(D)) v."""
        return F.scaled_dot_product_attention(query, key, value)


class LinearLayer(ProjectedAttention):
    """Linear attention: (B, C, H, W) -> (B, C, H, W); `kernel` has no meaning here.

    Paper: Katharopoulos et al., "Transformers are RNNs: Fast Autoregressive Transformers with
    Linear Attention", ICML 2020 (arXiv 2006.16236), equations 4 to 7: the softmax is replaced by a
    feature map phi(u) = elu(u) + 1, so that keys and values are summed once and the cost is linear
    in positions.
    """

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """phi(q) (phi(k)ᵀ v) / (phi(q) · sum phi(k))."""
        query, key = F.elu(query) + 1, F.elu(key) + 1
        summary = key.transpose(2, 3) @ value
        normaliser = query @ key.sum(2, keepdim=True).transpose(2, 3)
        return query @ summary / (normaliser + EPSILON)


class ClusteredLayer(ProjectedAttention):
    """Clustered attention: (B, C, H, W) -> (B, C, H, W); `kernel` has no meaning here.

    Paper: Vyas, Katharopoulos, Fleuret, "Fast Transformers with Clustered Attention", NeurIPS 2020
    (arXiv 2007.04825), section 3.2: queries are grouped by locality-sensitive hashing and K-means
    in Hamming space, each group attends once with its centroid, and its members share the result.

    Differs from the authors' CUDA code: plain tensor operations, so that it runs and exports
    anywhere; K-means starts from evenly spaced queries, so that results do not depend on a random
    state. The paper's "improved" variant (exact attention on the best keys) is not included.
    """

    planes: Tensor

    def __init__(self, channels: int, kernel: int, position: int = 0, **options: bool) -> None:
        super().__init__(channels, kernel, position, **options)
        generator = torch.Generator().manual_seed(position)
        self.register_buffer("planes", torch.randn(HEAD_CHANNELS, HASH_BITS, generator=generator))

    def assign(self, query: Tensor) -> Tensor:
        """Membership (B, heads, N, clusters), one 1 per row; carries no gradient.

        Hashes are ±1, so that the largest inner product is the smallest Hamming distance.
        """
        with torch.no_grad():
            codes = (query @ self.planes > 0).to(query.dtype) * 2 - 1
            count = codes.shape[2]
            start = torch.arange(CLUSTERS, device=codes.device) * count // CLUSTERS
            centers = codes[:, :, start]
            for _ in range(ITERATIONS):
                members = self._nearest(codes, centers)
                votes = members.transpose(2, 3) @ codes
                # A bit without majority, and every bit of an empty cluster, keeps its value.
                centers = torch.where(votes == 0, centers, votes.sign())
            return self._nearest(codes, centers)

    @staticmethod
    def _nearest(codes: Tensor, centers: Tensor) -> Tensor:
        best = (codes @ centers.transpose(2, 3)).argmax(3, keepdim=True)
        return (best == torch.arange(CLUSTERS, device=codes.device)).to(codes.dtype)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Centroids attend; every query takes the answer of its cluster."""
        members = self.assign(query)
        sizes = members.sum(2).clamp(min=1).unsqueeze(3)
        centroids = members.transpose(2, 3) @ query / sizes
        return members @ F.scaled_dot_product_attention(centroids, key, value)
