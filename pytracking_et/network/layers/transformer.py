"""What the attention layers share: residual, normalisation and feed-forward per position.

A layer of the paper's module comparison (table "Modules") is `x + mix(x)`, LayerNorm, feed-forward
with residual, LayerNorm: the frame of the Exemplar layer with another attention inside. No
positional encoding is added: the separable convolution before the layers has seen the border.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

FEED_FORWARD_CHANNELS = 1024
DROPOUT = 0.1
# Width of a head divides both tower widths, 256 and 192.
HEAD_CHANNELS = 32


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


class TransformerLayer(FeedForwardMixin):
    """Base of the attention layers: (B, C, H, W) -> (B, C, H, W).

    Subclasses define `mix`. Without the feed-forward only the residual remains.
    """

    def __init__(self, channels: int, feed_forward: bool = True) -> None:
        super().__init__()
        self.channels = channels
        self.heads = channels // HEAD_CHANNELS
        self.feed_forward = feed_forward
        if feed_forward:
            self.add_feed_forward(channels)

    def mix(self, x: Tensor) -> Tensor:
        """Attention between positions, (B, C, H, W) -> the same shape."""
        raise NotImplementedError

    def forward(self, x: Tensor, template: Tensor | None = None) -> Tensor:
        """`template` is not used; all tower layers share one signature."""
        y = x + self.mix(x)
        return self.transform(y) if self.feed_forward else y

    def split_heads(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, heads, N, C / heads)."""
        batch, count, _ = tokens.shape
        return tokens.reshape(batch, count, self.heads, -1).transpose(1, 2)

    def join_heads(self, tokens: Tensor) -> Tensor:
        """(B, heads, N, D) -> (B, N, heads * D)."""
        batch, _, count, _ = tokens.shape
        return tokens.transpose(1, 2).reshape(batch, count, self.channels)


class ProjectedAttention(TransformerLayer):
    """Adds the query, key, value and output projections that most attentions have.

    `kernel` (of the tower) and `position` (in it) are there for the layers that use them.
    """

    def __init__(
        self, channels: int, kernel: int, position: int = 0, feed_forward: bool = True
    ) -> None:
        super().__init__(channels, feed_forward)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, heads, N, D) each -> (B, heads, N, D)."""
        raise NotImplementedError

    def mix(self, x: Tensor) -> Tensor:
        """Project, attend over all positions, project."""
        tokens = x.flatten(2).transpose(1, 2)
        query, key, value = (self.split_heads(part) for part in self.qkv(tokens).chunk(3, 2))
        mixed = self.out(self.join_heads(self.attend(query, key, value)))
        return mixed.transpose(1, 2).reshape(x.shape)
