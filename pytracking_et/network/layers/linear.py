"""Linear attention.

Paper: Katharopoulos et al., "Transformers are RNNs: Fast Autoregressive Transformers with Linear
Attention", ICML 2020 (arXiv 2006.16236), equations 4 to 7: the softmax is replaced by a feature map
phi(u) = elu(u) + 1, so that keys and values are summed once and the cost is linear in positions.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .transformer import ProjectedAttention

# As in the authors' implementation; keeps the normaliser away from zero.
EPSILON = 1e-6


class LinearLayer(ProjectedAttention):
    """(B, C, H, W) -> (B, C, H, W); `kernel` has no meaning here."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """phi(q) (phi(k)ᵀ v) / (phi(q) · sum phi(k))."""
        query, key = F.elu(query) + 1, F.elu(key) + 1
        summary = key.transpose(2, 3) @ value
        normaliser = query @ key.sum(2, keepdim=True).transpose(2, 3)
        return query @ summary / (normaliser + EPSILON)
