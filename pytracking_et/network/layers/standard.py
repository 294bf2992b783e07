"""Standard multi-head self-attention.

Paper: Vaswani et al., "Attention Is All You Need", NeurIPS 2017 (arXiv 1706.03762). Every position
attends to every other: cost grows with the square of the number of positions. The attention itself
is PyTorch's `scaled_dot_product_attention`.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .transformer import ProjectedAttention


class StandardLayer(ProjectedAttention):
    """(B, C, H, W) -> (B, C, H, W); `kernel` has no meaning here."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax(q kᵀ / sqrt(D)) v."""
        return F.scaled_dot_product_attention(query, key, value)
