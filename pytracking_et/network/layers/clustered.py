"""Clustered attention.

Paper: Vyas, Katharopoulos, Fleuret, "Fast Transformers with Clustered Attention", NeurIPS 2020
(arXiv 2007.04825), section 3.2: queries are grouped by locality-sensitive hashing and K-means in
Hamming space, each group attends once with its centroid, and its members share the result.

Differs from the authors' CUDA code: plain tensor operations, so that it runs and exports anywhere;
K-means starts from evenly spaced queries, so that results do not depend on a random state. The
paper's "improved" variant (exact attention on the best keys) is not included.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .transformer import HEAD_CHANNELS, ProjectedAttention

# Our maps have 256 or 324 positions; the paper's longer sequences take 100 clusters of 63 bits and
# 10 iterations.
CLUSTERS = 32
HASH_BITS = 32
ITERATIONS = 5


class ClusteredLayer(ProjectedAttention):
    """(B, C, H, W) -> (B, C, H, W); `kernel` has no meaning here."""

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
